#pragma once

#include "edmund/core/tensor.h"
#include "edmund/data/fingerprint.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace edmund {

/// Everything that a training needs to go on: config, weights, EMA, moments and position.
struct Checkpoint {
  std::string config;    // YAML as people chose it, on which a training goes on
  std::string resolved;  // the same with all that was filled in; empty in those of version 0.1.0
  // position in the sequence of training images; optimizer steps taken
  std::int64_t images = 0, steps = 0;
  std::map<std::string, double> counters;  // skipped steps, seconds …; all finite
  // of the images that were trained on, where that is known
  DataFingerprint data;
  // why a training is not to go on from it ("the last 3 steps went wrong"); empty: it is healthy
  std::string fault = {};
  NamedTensors network, ema;  // state dict: parameters and buffers
  // first_moment.NAME, second_moment.NAME, ema_rest.NAME (what rounding left of the EMA), and what
  // is trained beside the network
  NamedTensors optimizer;
};

/// The folder of a run's checkpoint: RUN/checkpoints/<images, 12 digits>.
std::filesystem::path checkpoint_folder(const std::filesystem::path& run, std::int64_t images);

/// The files of a checkpoint in memory of their own, so that training goes on while they are
/// written: network, ema and optimizer as .safetensors, and state.json (config text, counters,
/// health, size and xxHash64 of each file, of itself too). It is healthy if it has no `fault` and
/// all of its tensors are finite.
class PackedCheckpoint {
 public:
  PackedCheckpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);

  const std::filesystem::path& folder() const { return folder_; }
  /// As nonfinite_tensor() of what was packed.
  const std::string& nonfinite() const { return nonfinite_; }

  /// Written aside under a name that starts with a dot, synced, renamed: the folder is there whole
  /// or not at all. One of the same name is replaced. From any thread. Throws DiskError if the disk
  /// does not take it; then what it took is given back.
  void write() const;

 private:
  std::filesystem::path folder_;
  std::string nonfinite_;
  std::vector<std::pair<std::string, std::string>> files_;  // name, bytes
};

/// Packs and writes.
void save_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);

/// Reads and verifies. Throws Error naming the file, what is wrong (missing, truncated, checksum,
/// version, values that are not finite) and an older checkpoint to go back to, a healthy one if
/// there is any. Warns of one that is not healthy.
Checkpoint load_checkpoint(const std::filesystem::path& folder);
/// Only config, images, steps, counters and health; no tensor is read.
Checkpoint read_header(const std::filesystem::path& folder);
/// Only config, images, counters and the weights that sampling needs, under `ema` or `network`; the
/// other files are not read.
Checkpoint load_weights(const std::filesystem::path& folder, bool ema = true);

/// Newest whole checkpoint below `run`/checkpoints; damaged ones are passed over with a warning.
/// Empty if there is none at all. Throws Error if there are some and all are damaged: going on as
/// if nothing had been trained would replace them.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& run);
/// Newest healthy checkpoint below `run`/checkpoints whose files have their sizes; empty if there
/// is none.
std::optional<std::filesystem::path> newest_healthy_checkpoint(const std::filesystem::path& run);
/// Name of the first tensor that holds a value which is not finite; empty if there is none.
std::string nonfinite_tensor(const NamedTensors& tensors);
std::string nonfinite_tensor(const Checkpoint& checkpoint);
/// Clears what processes left that died while they wrote or deleted checkpoints; one that was about
/// to be replaced gets its name back. Only for who owns the run.
void sweep_checkpoints(const std::filesystem::path& run);
/// Which checkpoints of a run stay.
struct Retention {
  std::int64_t keep = 2;                // the newest ones; 0: all
  std::vector<std::int64_t> also = {};  // positions in images
  /// Whether a position is one of those that an uninterrupted training saves; else its checkpoint
  /// stays beside the `keep` newest ones until there is a newer one. Empty: all are.
  std::function<bool(std::int64_t images)> is_planned = {};
};
/// Deletes all that are not to stay (the newest healthy one does), and left-over unfinished ones.
void prune_checkpoints(const std::filesystem::path& run, const Retention& retention);

}  // namespace edmund
