#pragma once

#include "edmund/core/error.h"
#include "edmund/training/trainable.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace edmund {

/// A batch and what the weights of a moment make of it.
struct ExaminedBatch {
  TrainingInputs inputs;              // on the CPU
  std::vector<double> losses, clock;  // of each image, [B]: see Losses
  double gradient_norm = 0.0;
  std::string clock_name = "sigma";
  std::vector<std::int64_t> images = {};  // of the data, [B]; empty: not known
};

/// Thrown where a training cannot go on from its weights with its settings.
class Diverged : public Error {
 public:
  /// What tells it: gradients that are not finite, losses that are not, a loss that has risen,
  /// weights that are not finite.
  enum class Cause { kGradient, kLoss, kRise, kWeights };
  Diverged(Cause cause, const std::string& what) : Error(what), cause_(cause) {}
  Cause cause() const { return cause_; }

 private:
  Cause cause_;
};

/// Writes a .safetensors file: images, positions, labels, augment, drawn.0 … as the objective
/// prepared them, loss, the clock under its name (sigma), image: number in the data. Throws Error
/// naming the file if the disk does not take it.
void write_batch(const std::filesystem::path& file, const ExaminedBatch& batch);
/// Reads one. Throws Error naming the file and what is missing or of another shape.
ExaminedBatch read_batch(const std::filesystem::path& file);

}  // namespace edmund
