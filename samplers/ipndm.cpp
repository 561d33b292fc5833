// ipndm — improved pseudo numerical method (Liu et al. 2022; Zhang & Chen 2023): Adams–Bashforth with fixed
// coefficients on the noise, on any schedule; it uses s and σ at the grid times only.
//
//   z' = z + (σ' - σ)·Σ_j b_j·ε_j,  ε = (z - D)/σ
//   b = 1;  (3, -1)/2;  (23, -16, 5)/12;  (55, -59, 37, -9)/24: the first steps take the shorter rows
//   N evaluations. The coefficients are those of equal steps in σ: there it converges at `order`, on other smooth grids at order 2.
//
//   order  4         1 to 4
//   final  denoise   or euler, none
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "multistep.h"

#include <algorithm>
#include <array>
#include <ATen/TensorOperators.h>

namespace edmund::samplers {
namespace {

constexpr std::array<std::array<double, 4>, 4> kAdamsBashforth{{{1.0, 0.0, 0.0, 0.0},
                                                                {3.0 / 2, -1.0 / 2, 0.0, 0.0},
                                                                {23.0 / 12, -16.0 / 12, 5.0 / 12, 0.0},
                                                                {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24}}};

}  // namespace

Sampler make_ipndm(Options& options) {
  const auto order = static_cast<std::size_t>(options.integer("order", 4, between(1, 4)));
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource&) {
    History eps;
    for (const auto& [t, u] : steps(grid)) {
      const double sigma = path.sigma(t), h = path.sigma(u) - sigma;
      Tensor z = x / path.scale(t);
      remember(eps, {sigma, (z - D(z, sigma)) / sigma}, order);
      const auto& b = kAdamsBashforth[eps.size() - 1];
      for (std::size_t j = 0; j < eps.size(); ++j) z = z + (h * b[j]) * eps[j].value;
      x = path.scale(u) * z;
    }
    return finish(D, path, x, grid.t.back(), final);
  };
}

}  // namespace edmund::samplers
