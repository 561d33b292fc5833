#pragma once

#include "edmund/core/tensor.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace edmund {

/// Power-function averages of the weights at a moment of the training, one for each relative width
/// of `training.ema_tracks`: parameters of the network by name, float32.
struct KeptAverages {
  std::int64_t images = 0;   // position in the sequence of training images
  std::int64_t learned = 0;  // the same without skipped steps: the averages' own clock
  std::vector<double> widths;
  std::vector<NamedTensors> parameters;  // of each width
};

/// Writes RUN/averages/<images, 12 digits>.safetensors with a checksum.
void save_averages(const std::filesystem::path& run, const KeptAverages& averages);
/// Reads and verifies one of them. Throws Error naming the file and what is wrong.
KeptAverages load_averages(const std::filesystem::path& run, std::int64_t images);
/// Positions of those that a run has, in order.
std::vector<std::int64_t> kept_averages(const std::filesystem::path& run);
/// Deletes those past `images`, of a run that died after its checkpoint.
void drop_averages(const std::filesystem::path& run, std::int64_t images);

/// Weights averaged by another length, made of what was kept.
struct Reconstruction {
  NamedTensors parameters;
  std::int64_t images = 0;   // the moment at which they end: of the last average that was taken
  std::size_t averages = 0;  // that they are made of
  double residual = 0.0;     // see posthoc_residual()
};
/// The average of relative width `width`, in (0, 1/√12), at the last kept moment up to `images`.
/// Sums in double precision. Throws Error if nothing was kept by then.
Reconstruction reconstructed(const std::filesystem::path& run, double width, std::int64_t images);

}  // namespace edmund
