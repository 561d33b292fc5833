#include "edmund/training/checkpoint.h"

#include "checkpoint_files.h"
#include "edmund/core/error.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/io/tensor_file.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

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

/// Deletes a folder that is no checkpoint (any more): the disk may be full of it.
class Cleared {
 public:
  explicit Cleared(fs::path folder) : folder_(std::move(folder)) {}
  ~Cleared() {
    try {
      remove_tree(folder_);
    } catch (const DiskError&) {  // what is left is swept later on
    }
  }
  Cleared(const Cleared&) = delete;
  Cleared& operator=(const Cleared&) = delete;

 private:
  fs::path folder_;
};

}  // namespace

fs::path checkpoint_folder(const fs::path& run, std::int64_t images) {
  std::string number = std::to_string(images);
  if (number.size() < 12) number.insert(0, 12 - number.size(), '0');
  return run / "checkpoints" / number;
}

PackedCheckpoint::PackedCheckpoint(const fs::path& where, const Checkpoint& checkpoint)
    : folder_(trimmed(where)), nonfinite_(nonfinite_tensor(checkpoint)) {
  json state = {{"format", "edmund checkpoint"}, {"version", files::kVersion}, {"config", checkpoint.config},
                {"images", checkpoint.images},   {"steps", checkpoint.steps},  {"counters", json::object()},
                {"files", json::object()}};
  if (!checkpoint.resolved.empty()) state["resolved"] = checkpoint.resolved;
  for (const auto& [name, value] : checkpoint.counters) {
    require(std::isfinite(value), "{}: counter {} is {}, expected a finite number", folder_.string(), name, value);
    state["counters"][name] = value;
  }

  const DataFingerprint& data = checkpoint.data;
  if (data.images > 0) state["data"] = {{"images", data.images}, {"content", data.content}, {"labels", data.labels}};

  std::string fault = checkpoint.fault;
  if (fault.empty() && !nonfinite_.empty()) fault = format("{} holds values that are not finite", nonfinite_);
  state["health"] = {{"healthy", fault.empty()}, {"fault", fault}};

  const NamedTensors* content[] = {&checkpoint.network, &checkpoint.ema, &checkpoint.optimizer};
  for (std::size_t i = 0; i < std::size(files::kParts); ++i) {
    const auto& [name, bytes] = files_.emplace_back(files::kParts[i], tensor_bytes(*content[i]));
    state["files"][name] = {{"bytes", bytes.size()}, {"xxhash64", edmund::checksum(bytes)}};
  }
  state["checksum"] = files::own_checksum(state);
  files_.emplace_back("state.json", files::text(state, 2) + "\n");
}

void PackedCheckpoint::write() const {
  FileSystem& system = file_system();
  const fs::path unfinished = files::aside(folder_, "new");
  remove_tree(unfinished);
  const Cleared if_unfinished(unfinished);
  make_folder(unfinished);
  // synced when it is published
  for (const auto& [name, bytes] : files_)
    require_done(system.create(unfinished / name, bytes), "cannot write", folder_ / name);
  if (system.status(folder_).kind == FileStatus::Kind::kMissing)
    publish_folder(unfinished, folder_);
  else
    const Cleared former(replace_folder(unfinished, folder_, files::aside(folder_, "former")));
}

void save_checkpoint(const fs::path& folder, const Checkpoint& checkpoint) {
  PackedCheckpoint(folder, checkpoint).write();
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

void sweep_checkpoints(const fs::path& run) {
  FileSystem& system = file_system();
  const fs::path folder = run / "checkpoints";
  for (const std::string& name : system.names(folder)) {
    const fs::path place = files::place_of_former(folder / name);
    if (!place.empty() && system.status(place).kind == FileStatus::Kind::kMissing)
      require_done(system.rename_new(folder / name, place), "cannot put back the checkpoint", place);
    else if (name.starts_with(files::kAside))
      remove_tree(folder / name);
  }
}

void prune_checkpoints(const fs::path& run, const Retention& retention) {
  sweep_checkpoints(run);
  if (retention.keep <= 0) return;

  // Damaged ones (as far as sizes tell) do not count: what is kept must be of use.
  std::int64_t whole = 0;
  bool has_newer = false, has_healthy = false;
  for (const auto& path : files::listed(run / "checkpoints")) {
    const std::int64_t images = files::position(path);
    const bool planned = !retention.is_planned || retention.is_planned(images);
    const bool among_newest = whole < retention.keep && (planned || !has_newer);
    const auto fault = among_newest || !has_healthy ? files::fault(path) : std::nullopt;
    const bool is_first_healthy = fault == "" && !has_healthy;
    has_healthy = has_healthy || is_first_healthy;
    has_newer = has_newer || fault;
    whole += among_newest && planned && fault ? 1 : 0;
    if (among_newest || is_first_healthy || std::ranges::count(retention.also, images) > 0) continue;
    const fs::path doomed = files::aside(path, "pruned");
    require_done(file_system().rename_new(path, doomed), "cannot delete", path);
    remove_tree(doomed);
  }
}

}  // namespace edmund
