#pragma once

#include "edmund/data/dataset.h"
#include "edmund/training/loss_bins.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace edmund {

/// Part of `training: {validation: …}`.
struct ValidationSettings {
  std::int64_t images = 0;     // held-out images, chosen by seed; 0: no validation
  std::int64_t keep_best = 1;  // checkpoints with the lowest loss that are kept beside the newest
  std::int64_t patience = 0;   // images without a lower loss after which training ends; 0: never
};

/// Loss of images that are not trained on: `images` of `held_out`, `batch` at a time, with draws
/// that depend on `objective`'s seed and the image alone, so that two calls differ by the weights
/// alone. No gradients; the network in the mode that it is in.
LossBins validation_loss(const Trainable& objective, const Dataset& held_out, std::span<const std::int64_t> images,
                         std::int64_t batch);

/// validation.jsonl of a run, a line for each checkpoint that was measured: images trained on, mean
/// loss, loss by bins of the clock.
class ValidationLog {
 public:
  struct Line {
    std::int64_t images = 0;
    double loss = 0.0;
  };

  /// Lines past `images` (of a run that died after its checkpoint) are dropped.
  ValidationLog(const std::filesystem::path& file, std::int64_t images);

  bool has(std::int64_t images) const;
  /// Appends a line. Throws Error if the disk does not take it.
  void add(std::int64_t images, const LossBins& loss);
  /// Positions of the `count` lowest losses that are finite, the lowest first.
  std::vector<std::int64_t> best(std::int64_t count) const;
  /// Whether the lowest loss lies `patience` images or more before `images`; false for patience 0
  /// and without lines.
  bool exhausted(std::int64_t patience, std::int64_t images) const;
  const std::vector<Line>& lines() const { return lines_; }

 private:
  std::filesystem::path file_;
  std::string text_;
  std::vector<Line> lines_;
};

}  // namespace edmund
