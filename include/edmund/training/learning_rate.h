#pragma once

#include "edmund/core/options.h"

#include <cstdint>

namespace edmund {

/// Learning rate as a function of the images seen before the step: base · min(images / ramp, 1) ·
/// decay(images). The ramp is that of Karras et al. 2022 (training loop): the first step of a run
/// has rate 0, whatever the ramp; it only fills Adam's moments. The decay is one of
///   1 / √max(images / decay, 1)                                     Karras et al. 2024 (EDM2)
///   f + (1 - f)/2 · (1 + cos π p), p from 0 (the ramp ends) to 1    Loshchilov & Hutter 2017
struct LearningRate {
  double base = 1e-3;
  double ramp_images = 0.0;
  double decay_images = 0.0;   // of the inverse square root; 0: none
  double cosine_images = 0.0;  // where the cosine ends, f from there on; 0: none
  double final_share = 0.0;    // f
  bool first_is_zero = true;   // false: without a ramp the first step has the full rate (EDM2)

  double at(std::int64_t images) const;
};

/// Keys learning_rate, learning_rate_first (zero | full), learning_rate_ramp (images),
/// learning_rate_decay (images), learning_rate_cosine (images), learning_rate_final. One decay at
/// most.
LearningRate make_learning_rate(Options& options);

}  // namespace edmund
