// ipndm — improved pseudo numerical method (Liu et al. 2022; Zhang & Chen 2023): Adams–Bashforth with fixed
// coefficients on the noise, on any schedule; it uses s and σ at the grid times only.
//
//   z' = z + (σ' - σ)·Σ_j b_j·ε_j,  ε = (z - D)/σ
//   b = 1;  (3, -1)/2;  (23, -16, 5)/12;  (55, -59, 37, -9)/24: the first steps take the shorter rows
//   N evaluations. The coefficients are those of equal steps in σ: there it converges at `order`, on other smooth grids at order 2.
//
//   order  4         1 to 4
//   warm_up, lower_order_final (never), final   see multistep.h
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "multistep.h"

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
  const OrderPolicy orders = read_order_policy(options, options.integer("order", 4, between(1, 4)));
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource&) {
    History eps;
    const auto pairs = steps(grid);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto [t, u] = pairs[i];
      const double sigma = path.sigma(t), h = path.sigma(u) - sigma;
      Tensor z = x / path.scale(t);
      const Tensor denoised = D(z, sigma);
      remember(eps, {sigma, (z - denoised) / sigma}, orders.order);
      if (orders.starts(i)) {
        x = path.scale(u) * runge_kutta_step(D, z, sigma, path.sigma(u), denoised);
        continue;
      }
      const std::size_t order = orders.at(i, pairs.size());
      const auto& b = kAdamsBashforth[order - 1];
      for (std::size_t j = 0; j < order; ++j) z = z + (h * b[j]) * eps[j].value;
      x = path.scale(u) * z;
    }
    return finish(D, path, x, grid.t.back(), orders.final);
  };
}

}  // namespace edmund::samplers
