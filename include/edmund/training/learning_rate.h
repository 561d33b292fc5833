#pragma once

#include "edmund/core/options.h"

#include <cstdint>

namespace edmund {

/// Learning rate as a function of the images seen before the step: base · min(images / ramp, 1) /
/// √max(images / decay, 1). The ramp is that of Karras et al. 2022 (training loop): the first step
/// of a run has rate 0, whatever the ramp; it only fills Adam's moments. The decay is that of
/// Karras et al. 2024 (EDM2).
struct LearningRate {
  double base = 1e-3;
  double ramp_images = 0.0;
  double decay_images = 0.0;  // 0: constant

  double at(std::int64_t images) const;
};

/// Keys learning_rate, learning_rate_ramp (images), learning_rate_decay (images).
LearningRate make_learning_rate(Options& options);

}  // namespace edmund
