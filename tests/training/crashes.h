#pragma once

#include "edmund/core/file_system.h"
#include "edmund/core/log.h"
#include "edmund/training/checkpoint.h"
#include "helpers.h"

#include <ATen/ops/full.h>
#include <cstdint>
#include <filesystem>
#include <string>

/// A run in a file system in memory, whose checkpoints are told apart by their version.
namespace edmund::testing::crashes {

inline const std::filesystem::path kRun = "/data/runs/digits";

/// Damaged checkpoints are passed over with a warning each: thousands of them.
class Quiet {
 public:
  Quiet() { log::set_level(log::Level::kOff); }
  ~Quiet() { log::set_level(log::Level::kInfo); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
};

inline Checkpoint example(std::int64_t images, std::int64_t version) {
  const Tensor value = at::full({3}, static_cast<float>(version));
  return {.config = "name: digits\n",
          .images = images,
          .steps = version,
          .counters = {},
          .data = {},
          .network = {{"weight", value}},
          .ema = {{"weight", value}},
          .optimizer = {{"first_moment.weight", value}}};
}

/// Version of the checkpoint that a training would go on from; 0 if there is none, -1 where it
/// would refuse or take what never was.
inline std::int64_t found_in(FileSystem& system) {
  const FileSystemScope scope(system);
  try {
    const auto newest = newest_checkpoint(kRun);
    if (!newest) return 0;
    const Checkpoint found = load_checkpoint(*newest);
    return same_state(found, example(found.images, found.steps)) ? found.steps : -1;
  } catch (const Error&) {
    return -1;
  }
}

inline std::size_t left_over(FileSystem& system) {
  std::size_t count = 0;
  for (const std::string& name : system.names(kRun / "checkpoints")) count += name.starts_with(".tmp-") ? 1 : 0;
  return count;
}

}  // namespace edmund::testing::crashes
