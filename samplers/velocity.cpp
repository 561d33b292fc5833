#include "edmund/samplers/velocity.h"

#include "edmund/core/error.h"
#include "edmund/ops/combine.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund {

Tensor velocity(const Denoiser& D, const NoiseSchedule& path, const Tensor& x, double t, double lambda) {
  const double s = path.scale(t), sigma = path.sigma(t);
  const double growth = (1 + lambda * lambda) * path.sigma_rate(t) / sigma;
  return ops::combine(path.scale_rate(t) / s + growth, x, -(growth * s), D(s == 1.0 ? x : x / s, sigma));
}

double diffusion(const NoiseSchedule& path, double t) {
  return path.scale(t) * std::sqrt(2 * path.sigma(t) * path.sigma_rate(t));
}

Tensor finish(const Denoiser& D, const NoiseSchedule& path, const Tensor& x, double t, Final final) {
  if (final == Final::kNone) return x;
  if (final == Final::kDenoise) return D(x / path.scale(t), path.sigma(t));
  const auto clean = path.clean_time();
  require(clean.has_value(),
          "sampler: final: euler needs a time at which σ = 0, which this schedule does not have; use final: denoise");
  return x + (*clean - t) * velocity(D, path, x, t);
}

}  // namespace edmund
