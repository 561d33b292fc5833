#include "checkpoint_files.h"

#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/format.h"
#include "edmund/core/json_text.h"
#include "edmund/core/parsed_json.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace edmund::checkpoint_files {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

constexpr std::uint64_t kStateLimit = 16u << 20;  // bytes of state.json

bool is_count(const json& value) {
  return value.is_number_integer() && value.get<double>() >= 0.0 && value.get<double>() < 0x1p53;
}

/// What is wrong with the content of state.json; empty if nothing.
std::string damage_of(const json& state) {
  if (state.is_discarded() || !state.is_object()) return "not a JSON object (truncated?)";
  const auto is_text = [&](const char* key) { return state.contains(key) && state[key].is_string(); };
  if (!is_text("format") || state["format"] != "edmund checkpoint") return "not the state of an edmund checkpoint";
  if (!state.contains("version") || !is_count(state["version"])) return "version is missing";
  if (state["version"] != kVersion)
    return format("version {} is not the {} that this edmund reads; use the edmund that wrote it",
                  text(state["version"]), kVersion);
  if (!is_text("checksum") || state["checksum"] != own_checksum(state))
    return "checksum does not match: the file was changed";
  if (!is_text("config")) return "config is missing";
  if (state.contains("resolved") && !is_text("resolved")) return "resolved is not a text";
  for (const char* key : {"images", "steps"})
    if (!state.contains(key) || !is_count(state[key])) return format("{} is missing or not a count", key);
  if (!state.contains("counters") || !state["counters"].is_object()) return "counters are missing";
  for (const auto& [name, value] : state["counters"].items())
    if (!value.is_number()) return format("counter {} is not a number", name);
  if (!state.contains("files") || !state["files"].is_object()) return "files are missing";
  for (const char* part : kParts) {
    const json entry = state["files"].value(part, json());
    if (!entry.is_object() || !entry.contains("bytes") || !is_count(entry["bytes"]) || !entry.contains("xxhash64") ||
        !entry["xxhash64"].is_string())
      return format("size and checksum of {} are missing", part);
  }
  return "";
}

/// What is wrong with a file before it is opened; empty if nothing.
std::string damage_of(const FileStatus& status) {
  if (status.kind == FileStatus::Kind::kMissing) return "missing";
  return status.kind == FileStatus::Kind::kFile ? "" : "not a regular file";
}

bool is_number(std::string_view name) {
  return name.size() >= 12 && name.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::string text(const json& value, int indent) { return json_text(value, indent); }

std::string own_checksum(json state) {
  state.erase("checksum");
  return checksum(text(state));
}

std::string read_state(const fs::path& folder, json& state) {
  if (file_system().status(folder).kind != FileStatus::Kind::kFolder)
    return format("{}: no such folder", folder.string());
  const fs::path file = folder / "state.json";
  const FileStatus status = file_system().status(file);
  std::string damage = damage_of(status);
  if (damage.empty() && status.bytes > kStateLimit) damage = "absurdly large";
  if (damage.empty()) {
    state = parsed_json<json>(read_file(file, kStateLimit));
    damage = damage_of(state);
  }
  return damage.empty() ? damage : format("{}: {}", file.string(), damage);
}

std::string check_size(const fs::path& folder, const json& state, const char* part) {
  const fs::path file = folder / part;
  const auto expected = state["files"][part]["bytes"].get<std::uint64_t>();
  const FileStatus found = file_system().status(file);
  std::string damage = damage_of(found);
  if (damage.empty() && found.bytes != expected)
    damage =
        format("{} bytes, expected {} ({})", found.bytes, expected, found.bytes < expected ? "truncated" : "changed");
  return damage.empty() ? damage : format("{}: {}", file.string(), damage);
}

std::string read_part(const fs::path& folder, const json& state, const char* part, std::string& bytes) {
  if (const std::string damage = check_size(folder, state, part); !damage.empty()) return damage;
  const auto& expected = state["files"][part];
  bytes = read_file(folder / part, expected["bytes"].get<std::uint64_t>());
  if (checksum(bytes) == expected["xxhash64"]) return "";
  return format("{}: checksum does not match: the file was changed or damaged", (folder / part).string());
}

std::string fault(const json& state) {
  const json health = state.value("health", json());
  return health.is_object() && health.contains("fault") && health["fault"].is_string() ? health["fault"] : json("");
}

std::optional<std::string> fault(const fs::path& folder) {
  json state;
  std::string damage = read_state(folder, state);
  for (const char* part : kParts)
    if (damage.empty()) damage = check_size(folder, state, part);
  return damage.empty() ? std::optional(fault(state)) : std::nullopt;
}

fs::path aside(const fs::path& folder, const char* purpose) {
  return folder.parent_path() / format("{}{}-{}-{}", kAside, folder.filename().string(), purpose, ::getpid());
}

fs::path place_of_former(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::size_t begin = std::string_view(kAside).size(), end = name.find("-former-");
  if (!name.starts_with(kAside) || end == name.npos) return {};
  const std::string number = name.substr(begin, end - begin);
  return is_number(number) ? path.parent_path() / number : fs::path();
}

std::vector<fs::path> listed(const fs::path& folder) {
  FileSystem& system = file_system();
  std::vector<std::pair<std::string, fs::path>> found;
  for (const std::string& name : system.names(folder)) {
    if (is_number(name)) found.emplace_back(name, folder / name);
    const fs::path place = place_of_former(folder / name);
    if (!place.empty() && system.status(place).kind == FileStatus::Kind::kMissing)
      found.emplace_back(place.filename().string(), folder / name);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.first.size(), a.first) > std::tuple(b.first.size(), b.first);
  });
  std::vector<fs::path> out;
  for (auto& [name, path] : found) out.push_back(std::move(path));
  return out;
}

std::int64_t position(const fs::path& path) {
  const fs::path place = place_of_former(path);
  return parse_integer((place.empty() ? path : place).filename().string()).value_or(0);
}

}  // namespace edmund::checkpoint_files
