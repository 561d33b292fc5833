#include "edmund/schedules/linear_beta.h"

namespace edmund {

std::optional<LinearBeta> LinearBeta::of_vp(Interval sigmas, double t_min) {
  const double first = std::log1p(sigmas.low * sigmas.low), last = std::log1p(sigmas.high * sigmas.high);
  const double slope = 2 * (first / t_min - last) / (t_min - 1);
  const LinearBeta beta{last - 0.5 * slope, slope};
  return beta.rate(t_min) > 0 && beta.rate(1.0) > 0 ? std::optional(beta) : std::nullopt;
}

LinearBeta LinearBeta::read(Options& options) {
  const double low = options.real("beta_min", 0.1, between(0, 300), "noise rate β at t = 0");
  const double high =
      options.real("beta_max", 20.0, {.low = 0, .high = 300, .open_low = true}, "noise rate β at t = 1");
  return {low, high - low};
}

}  // namespace edmund
