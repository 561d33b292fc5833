#include "edmund/samplers/inversion.h"

#include "edmund/core/error.h"
#include "edmund/diffusion/forbidden_noise.h"

#include <algorithm>
#include <ATen/ops/isfinite.h>
#include <ATen/TensorOperators.h>

namespace edmund {
namespace {

constexpr const char* kOdeOnly =
    "inversion: this sampler draws noise; choose one that follows the ODE (euler or heun without churn, ddim with eta "
    "0)";

}  // namespace

Tensor inverted(const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, const Sampler& sampler,
                const Tensor& image) {
  TimeGrid backwards = grid;
  std::reverse(backwards.t.begin(), backwards.t.end());
  ForbiddenNoise none(kOdeOnly);
  const Tensor x = sampler(D, schedule, backwards, schedule.scale(grid.t.back()) * image, none);
  require(at::isfinite(x).all().item<bool>(), "inversion: this sampler cannot run its grid backwards");
  return x;
}

Tensor reconstructed(const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, const Sampler& sampler,
                     const Tensor& x) {
  ForbiddenNoise none(kOdeOnly);
  return sampler(D, schedule, grid, x, none) / schedule.scale(grid.t.back());
}

}  // namespace edmund
