#include "edmund/training/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edmund {

double LearningRate::at(std::int64_t images) const {
  const auto seen = static_cast<double>(images);
  const bool ramps = first_is_zero || ramp_images > 0.0;
  const double ramp = ramps ? std::min(seen / std::max(ramp_images, 1e-8), 1.0) : 1.0;
  if (decay_images > 0.0) return base * ramp / std::sqrt(std::max(seen / decay_images, 1.0));
  if (cosine_images <= 0.0) return base * ramp;
  const double p = std::clamp((seen - ramp_images) / (cosine_images - ramp_images), 0.0, 1.0);
  return base * ramp * std::lerp(final_share, 1.0, 0.5 * (1.0 + std::cos(std::numbers::pi * p)));
}

LearningRate make_learning_rate(Options& options) {
  LearningRate rate;
  rate.base = options.real("learning_rate", rate.base, above(0.0), "highest learning rate, after the ramp");
  rate.ramp_images =
      options.real("learning_rate_ramp", 0.0, at_least(0.0), "images over which it rises linearly from 0");
  rate.first_is_zero = options.choice("learning_rate_first", "zero", {"zero", "full"},
                                      "rate of the first step where there is no ramp: EDM's loop has zero, EDM2's "
                                      "full") == "zero";
  rate.decay_images = options.real("learning_rate_decay", 0.0, at_least(0.0),
                                   "images after which it falls as 1/√images (EDM2); 0: it does not");
  rate.cosine_images = options.real("learning_rate_cosine", 0.0, at_least(0.0),
                                    "images at which a cosine from the end of the ramp ends; 0: none");
  rate.final_share =
      options.real("learning_rate_final", 0.0, between(0.0, 1.0), "share of the learning rate that the cosine ends at");
  options.check(rate.decay_images == 0.0 || rate.cosine_images == 0.0, "learning_rate_cosine",
                "expected 0 beside learning_rate_decay: one decay or the other");
  options.check(rate.cosine_images == 0.0 || rate.cosine_images > rate.ramp_images, "learning_rate_cosine",
                "expected more images than the ramp's {}, found {}", rate.ramp_images, rate.cosine_images);
  return rate;
}

}  // namespace edmund
