#pragma once

#include "edmund/training/trainer.h"

#include <c10/core/TensorOptions.h>

namespace edmund {

/// σ of the training images at these positions: float64 [B], on the CPU.
Tensor drawn_levels(const TrainingSettings& settings, const NoiseLevels& levels,
                    const std::vector<std::int64_t>& positions);
/// Labels with a share of "no class" (Ho & Salimans 2022, algorithm 1): int64 [B], on the CPU.
Tensor dropped_labels(const TrainingSettings& settings, const std::vector<std::int64_t>& positions,
                      const Tensor& labels);

/// What the training images at these positions of the sequence are given: each draw is a function of (seed, stream, position).
TrainingDraws make_draws(const TrainingSettings& settings, const NoiseLevels& levels,
                         const std::vector<std::int64_t>& positions, at::IntArrayRef image_shape, const Tensor& labels,
                         const at::TensorOptions& options);

}  // namespace edmund
