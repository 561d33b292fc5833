#include "edmund/training/learning_rate.h"

#include <algorithm>
#include <cmath>

namespace edmund {

double LearningRate::at(std::int64_t images) const {
  const auto seen = static_cast<double>(images);
  const double ramp = std::min(seen / std::max(ramp_images, 1e-8), 1.0);
  const double decay = decay_images > 0.0 ? 1.0 / std::sqrt(std::max(seen / decay_images, 1.0)) : 1.0;
  return base * ramp * decay;
}

LearningRate make_learning_rate(Options& options) {
  return {
      .base = options.real("learning_rate", 1e-3, above(0.0), "of Adam, after the ramp"),
      .ramp_images = options.real("learning_rate_ramp", 0.0, at_least(0.0), "images over which the rate grows from 0"),
      .decay_images = options.real("learning_rate_decay", 0.0, at_least(0.0),
                                   "images after which the rate falls by 1/√images; 0: never")};
}

}  // namespace edmund
