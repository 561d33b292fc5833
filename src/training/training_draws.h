#pragma once

#include "edmund/training/trainer.h"

#include <c10/core/TensorOptions.h>

namespace edmund {

/// What the training images at these positions of the sequence are given: each draw is a function of (seed, stream, position).
TrainingDraws make_draws(const TrainingSettings& settings, const NoiseLevels& levels,
                         const std::vector<std::int64_t>& positions, at::IntArrayRef image_shape, const Tensor& labels,
                         const at::TensorOptions& options);

}  // namespace edmund
