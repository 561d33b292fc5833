#include "edmund/samplers/velocity.h"

#include "edmund/core/error.h"
#include "edmund/ops/combine.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund {

Drift drift(const NoiseSchedule& path, double t, double lambda) {
  const double s = path.scale(t), growth = (1 + lambda * lambda) * path.sigma_rate(t) / path.sigma(t);
  return {.x = path.scale_rate(t) / s + growth, .D = -(growth * s)};
}

Tensor denoised(const Denoiser& D, const NoiseSchedule& path, const Tensor& x, double t) {
  const double s = path.scale(t);
  return D(s == 1.0 ? x : x / s, path.sigma(t));
}

Tensor velocity(const Denoiser& D, const NoiseSchedule& path, const Tensor& x, double t, double lambda) {
  const Drift v = drift(path, t, lambda);
  return ops::combine({{v.x, x}, {v.D, denoised(D, path, x, t)}});
}

double diffusion(const NoiseSchedule& path, double t) {
  return path.scale(t) * std::sqrt(2 * path.sigma(t) * path.sigma_rate(t));
}

Tensor finish(const Denoiser& D, const NoiseSchedule& path, const Tensor& x, double t, Final final) {
  if (final == Final::kNone) return x;
  if (final == Final::kDenoise) return denoised(D, path, x, t);
  const auto clean = path.clean_time();
  require(clean.has_value(),
          "sampler: final: euler needs a time at which σ = 0, which this schedule does not have; use final: denoise");
  const Drift v = drift(path, t);
  const double h = *clean - t;
  return ops::combine({{1 + h * v.x, x}, {h * v.D, denoised(D, path, x, t)}});
}

}  // namespace edmund
