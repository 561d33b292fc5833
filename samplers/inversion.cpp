#include "edmund/samplers/inversion.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <ATen/ops/isfinite.h>
#include <ATen/TensorOperators.h>

namespace edmund {
namespace {

class RefusedNoise : public NoiseSource {
 public:
  Tensor normal(at::IntArrayRef) override {
    fail(
        "inversion: this sampler draws noise; choose one that follows the ODE (euler or heun without churn, ddim with "
        "eta 0)");
  }
};

}  // namespace

Tensor inverted(const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, const Sampler& sampler,
                const Tensor& image) {
  TimeGrid backwards = grid;
  std::reverse(backwards.t.begin(), backwards.t.end());
  RefusedNoise none;
  const Tensor x = sampler(D, path, backwards, path.scale(grid.t.back()) * image, none);
  require(at::isfinite(x).all().item<bool>(), "inversion: this sampler cannot run its grid backwards");
  return x;
}

Tensor reconstructed(const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, const Sampler& sampler,
                     const Tensor& x) {
  RefusedNoise none;
  return sampler(D, path, grid, x, none) / path.scale(grid.t.back());
}

}  // namespace edmund
