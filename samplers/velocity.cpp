#include "edmund/samplers/velocity.h"

#include "edmund/core/error.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund {

Tensor unscaled(const NoiseSchedule& schedule, const Tensor& x, double t) {
  const double s = schedule.scale(t);
  return s == 1.0 ? x : x / s;
}

Tensor denoised(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t) {
  return D(unscaled(schedule, x, t), schedule.sigma(t));
}

ops::Sum velocity(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t, double lambda) {
  const double s = schedule.scale(t), growth = (1 + lambda * lambda) * schedule.sigma_rate(t) / schedule.sigma(t);
  const ops::Sum D_t = denoised(D, schedule, x, t);
  return (schedule.scale_rate(t) / s + growth) * ops::Sum(x) - growth * s * D_t;
}

double diffusion(const NoiseSchedule& schedule, double t) {
  return schedule.scale(t) * std::sqrt(2 * schedule.sigma(t) * schedule.sigma_rate(t));
}

Tensor finish(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t, Final final) {
  if (final == Final::kNone) return x;
  if (final == Final::kDenoise) return denoised(D, schedule, x, t);
  const auto clean = schedule.clean_time();
  require(clean.has_value(),
          "sampler: final: euler needs a time at which σ = 0, which this schedule does not have; use final: denoise");
  return x + (*clean - t) * velocity(D, schedule, x, t);
}

}  // namespace edmund
