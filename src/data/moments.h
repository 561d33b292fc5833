#pragma once

#include "edmund/core/tensor.h"
#include "edmund/data/dataset.h"

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

namespace edmund {

/// Mean and standard deviation of images by channel, gathered from many threads: the same whatever
/// their order. Levels are counted; real numbers are summed in float64 by the blocks of a pass.
class PixelMoments {
 public:
  /// Of images that for_all_images() goes through.
  explicit PixelMoments(std::int64_t images);
  /// Image i of the pass, uint8 or float32 [C, H, W]. Images of other channels than the first that
  /// came are left out.
  void add(std::int64_t i, const Tensor& image);
  /// Throws c10::Error if there were no images.
  DatasetStatistics statistics() const;

 private:
  struct Sums {
    double count = 0, values = 0, squares = 0;
  };
  using Counts = std::array<std::int64_t, 256>;
  std::vector<Sums> of_levels() const;
  std::vector<Sums> of_reals() const;

  mutable std::mutex mutex_;
  std::int64_t channels_ = 0, images_ = 0;
  std::vector<Counts> counts_;             // of the levels of each channel
  std::vector<std::vector<Sums>> blocks_;  // of real numbers, by block and channel
};

}  // namespace edmund
