#include "checkpoint_files.h"

#include "edmund/core/files.h"
#include "edmund/core/format.h"
#include "edmund/core/json_text.h"
#include "edmund/core/parsed_json.h"

#include <algorithm>
#include <system_error>

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
std::string damage_of(const fs::path& file) {
  std::error_code error;
  const auto status = fs::status(file, error);
  if (!fs::exists(status)) return "missing";
  if (!fs::is_regular_file(status)) return "not a regular file";
  return "";
}

}  // namespace

std::string text(const json& value, int indent) { return json_text(value, indent); }

std::string own_checksum(json state) {
  state.erase("checksum");
  return checksum(text(state));
}

std::string read_state(const fs::path& folder, json& state) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return format("{}: no such folder", folder.string());
  const fs::path file = folder / "state.json";
  std::string damage = damage_of(file);
  if (damage.empty() && fs::file_size(file, error) > kStateLimit) damage = "absurdly large";
  if (damage.empty()) {
    state = parsed_json<json>(read_file(file, kStateLimit));
    damage = damage_of(state);
  }
  return damage.empty() ? damage : format("{}: {}", file.string(), damage);
}

std::string check_size(const fs::path& folder, const json& state, const char* part) {
  const fs::path file = folder / part;
  const auto expected = state["files"][part]["bytes"].get<std::uint64_t>();
  std::string damage = damage_of(file);
  std::error_code error;
  if (damage.empty()) {
    const auto found = fs::file_size(file, error);
    if (found != expected)
      damage = format("{} bytes, expected {} ({})", found, expected, found < expected ? "truncated" : "changed");
  }
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

std::vector<fs::path> listed(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.size() >= 12 && name.find_first_not_of("0123456789") == std::string::npos) found.push_back(at->path());
  }
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
    const std::string x = a.filename().string(), y = b.filename().string();
    return x.size() != y.size() ? x.size() > y.size() : x > y;
  });
  return found;
}

}  // namespace edmund::checkpoint_files
