#include "edmund/training/checkpoint.h"

#include "checkpoint_files.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/io/tensor_file.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <system_error>
#include <unistd.h>

namespace edmund {
namespace fs = std::filesystem;
namespace files = checkpoint_files;
using nlohmann::json;
namespace {

/// The path without a slash at its end.
fs::path trimmed(const fs::path& folder) { return folder.has_filename() ? folder : folder.parent_path(); }

/// The way out for a person whose checkpoint is damaged: a healthy one if there is any.
std::string remedy(const fs::path& folder) {
  const auto number = [](const fs::path& path) {
    return std::pair(path.filename().string().size(), path.filename().string());
  };
  fs::path older;
  for (const auto& other : files::listed(folder.parent_path())) {
    if (number(other) >= number(folder)) continue;
    if (files::fault(other) == "") return format("go back to {}", other.string());
    if (older.empty()) older = other;
  }
  if (!older.empty()) return format("go back to {}", older.string());
  return "no older checkpoint lies beside it: take a copy, or train anew";
}

json whole_state(const fs::path& folder) {
  json state;
  const std::string damage = files::read_state(folder, state);
  require(damage.empty(), "{}; {}", damage, remedy(folder));
  return state;
}

NamedTensors tensors(const fs::path& folder, const json& state, const char* part) {
  std::string bytes;
  const std::string damage = files::read_part(folder, state, part, bytes);
  require(damage.empty(), "{}; {}", damage, remedy(folder));
  const TensorFile file = parse_tensors(bytes, (folder / part).string());
  NamedTensors out(file.tensors.begin(), file.tensors.end());
  const std::string bad = nonfinite_tensor(out);
  require(bad.empty(), "{}: {} holds values that are not finite: its training had diverged; {}",
          (folder / part).string(), bad, remedy(folder));
  return out;
}

void warn_of_fault(const fs::path& folder, const Checkpoint& checkpoint) {
  if (!checkpoint.fault.empty())
    log::warn("{}: not healthy when it was saved: {}; {}", folder.string(), checkpoint.fault, remedy(folder));
}

/// Of checkpoints that have one: it came later than they.
DataFingerprint fingerprint(const json& state) {
  const json data = state.value("data", json());
  const auto is_text = [&](const char* key) { return data.contains(key) && data[key].is_string(); };
  if (!data.is_object() || !data.contains("images") || !data["images"].is_number_integer() || !is_text("content") ||
      !is_text("labels"))
    return {};
  return {.images = data["images"], .content = data["content"], .labels = data["labels"]};
}

Checkpoint header(const json& state) {
  return {.config = state["config"],
          .resolved = state.value("resolved", ""),
          .images = state["images"],
          .steps = state["steps"],
          .counters = state["counters"],
          .data = fingerprint(state),
          .fault = files::fault(state),
          .network = {},
          .ema = {},
          .optimizer = {}};
}

void rename_or_fail(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  require(!error, "{}: cannot rename: {}", from.string(), error.message());
}

void remove_or_fail(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  require(!error, "{}: cannot delete: {}", folder.string(), error.message());
}

/// Name of a folder that is not, or no longer, a checkpoint.
fs::path aside(const fs::path& folder, const char* purpose) {
  return folder.parent_path() / format(".tmp-{}-{}-{}", folder.filename().string(), purpose, ::getpid());
}

}  // namespace

fs::path checkpoint_folder(const fs::path& run, std::int64_t images) {
  std::string number = std::to_string(images);
  if (number.size() < 12) number.insert(0, 12 - number.size(), '0');
  return run / "checkpoints" / number;
}

void save_checkpoint(const fs::path& where, const Checkpoint& checkpoint) {
  const fs::path folder = trimmed(where);
  json state = {{"format", "edmund checkpoint"}, {"version", files::kVersion}, {"config", checkpoint.config},
                {"images", checkpoint.images},   {"steps", checkpoint.steps},  {"counters", json::object()},
                {"files", json::object()}};
  if (!checkpoint.resolved.empty()) state["resolved"] = checkpoint.resolved;
  for (const auto& [name, value] : checkpoint.counters) {
    require(std::isfinite(value), "{}: counter {} is {}, expected a finite number", folder.string(), name, value);
    state["counters"][name] = value;
  }

  const DataFingerprint& data = checkpoint.data;
  if (data.images > 0) state["data"] = {{"images", data.images}, {"content", data.content}, {"labels", data.labels}};

  std::string fault = checkpoint.fault;
  if (const std::string bad = nonfinite_tensor(checkpoint); fault.empty() && !bad.empty())
    fault = format("{} holds values that are not finite", bad);
  state["health"] = {{"healthy", fault.empty()}, {"fault", fault}};

  const fs::path unfinished = aside(folder, "new");
  remove_or_fail(unfinished);
  make_folder(unfinished);
  const NamedTensors* content[] = {&checkpoint.network, &checkpoint.ema, &checkpoint.optimizer};
  for (std::size_t i = 0; i < std::size(files::kParts); ++i) {
    const std::string bytes = tensor_bytes(*content[i]);
    write_file(unfinished / files::kParts[i], bytes);
    state["files"][files::kParts[i]] = {{"bytes", bytes.size()}, {"xxhash64", edmund::checksum(bytes)}};
  }
  state["checksum"] = files::own_checksum(state);
  write_file(unfinished / "state.json", files::text(state, 2) + "\n");

  std::error_code error;
  const bool replaces = fs::exists(fs::symlink_status(folder, error));
  const fs::path former = aside(folder, "former");
  if (replaces) {
    remove_or_fail(former);
    rename_or_fail(folder, former);
  }
  publish_folder(unfinished, folder);
  if (replaces) remove_or_fail(former);
}

Checkpoint load_checkpoint(const fs::path& where) {
  const fs::path folder = trimmed(where);
  const json state = whole_state(folder);
  Checkpoint checkpoint = header(state);
  warn_of_fault(folder, checkpoint);
  checkpoint.network = tensors(folder, state, files::kNetwork);
  checkpoint.ema = tensors(folder, state, files::kEma);
  checkpoint.optimizer = tensors(folder, state, files::kOptimizer);
  return checkpoint;
}

Checkpoint read_header(const fs::path& where) { return header(whole_state(trimmed(where))); }

Checkpoint load_weights(const fs::path& where, bool ema) {
  const fs::path folder = trimmed(where);
  const json state = whole_state(folder);
  Checkpoint checkpoint = header(state);
  warn_of_fault(folder, checkpoint);
  (ema ? checkpoint.ema : checkpoint.network) = tensors(folder, state, ema ? files::kEma : files::kNetwork);
  return checkpoint;
}

std::optional<fs::path> newest_checkpoint(const fs::path& run) {
  const auto folders = files::listed(run / "checkpoints");
  std::vector<std::string> damages;
  for (const auto& folder : folders) {
    json state;
    std::string damage = files::read_state(folder, state), bytes;
    for (const char* part : files::kParts)
      if (damage.empty()) damage = files::read_part(folder, state, part, bytes);
    if (damage.empty()) {
      for (const auto& passed : damages) log::warn("passing over a damaged checkpoint: {}", passed);
      return folder;
    }
    damages.push_back(std::move(damage));
  }
  if (damages.empty()) return std::nullopt;
  fail("{}: no whole checkpoint among {}: {}{}; put a copy back, or move them away to train anew",
       (run / "checkpoints").string(), folders.size(), damages.front(), damages.size() > 1 ? " …" : "");
}

void prune_checkpoints(const fs::path& run, std::int64_t keep, std::span<const std::int64_t> also) {
  const fs::path folder = run / "checkpoints";
  std::vector<fs::path> left_over;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (at->path().filename().string().starts_with(".tmp-")) left_over.push_back(at->path());
  for (const auto& path : left_over) remove_or_fail(path);
  if (keep <= 0) return;

  // Damaged ones (as far as sizes tell) do not count: what is kept must be of use.
  std::int64_t whole = 0;
  bool has_healthy = false;
  const auto is_kept = [&](const fs::path& path) {
    return std::any_of(also.begin(), also.end(), [&](auto images) { return checkpoint_folder(run, images) == path; });
  };
  for (const auto& path : files::listed(folder)) {
    const auto fault = whole < keep || !has_healthy ? files::fault(path) : std::nullopt;
    const bool is_first_healthy = fault == "" && !has_healthy;
    has_healthy = has_healthy || is_first_healthy;
    if (whole < keep) {
      whole += fault ? 1 : 0;
      continue;
    }
    if (is_first_healthy || is_kept(path)) continue;
    const fs::path doomed = aside(path, "pruned");
    rename_or_fail(path, doomed);
    remove_or_fail(doomed);
  }
}

}  // namespace edmund
