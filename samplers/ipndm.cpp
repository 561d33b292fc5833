// ipndm — improved pseudo numerical method (Liu et al. 2022; Zhang & Chen 2023): Adams–Bashforth
// with fixed coefficients on the noise, on any schedule; it uses s and σ at the grid times only.
//
//   z' = z + (σ' - σ)·Σ_j b_j·ε_j,  ε = (z - D)/σ;  the first steps take the shorter rows of
//   b = 1;  (3, -1)/2;  (23, -16, 5)/12;  (55, -59, 37, -9)/24
//   N evaluations. The coefficients are those of equal steps in σ: there it converges at `order`,
//   on other smooth grids at order 2.
//
//   order  4         1 to 4
//   warm_up, lower_order_final (never), final   see multistep.h
#include "edmund/samplers/sampler.h"
#include "multistep.h"

#include <array>

namespace edmund::samplers {
namespace {

constexpr std::array<std::array<double, 4>, 4> kAdamsBashforth{{{1.0, 0.0, 0.0, 0.0},
                                                                {3.0 / 2, -1.0 / 2, 0.0, 0.0},
                                                                {23.0 / 12, -16.0 / 12, 5.0 / 12, 0.0},
                                                                {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24}}};

}  // namespace

Sampler make_ipndm(Options& options) {
  const std::int64_t order = options.integer("order", 4, between(1, 4), "order of the method");
  return multistep({.orders = read_order_policy(options, order),
                    .value =
                        [](const MultistepStep& step) {
                          return Past{step.sigma, step.eps()};
                        },
                    .update =
                        [](const MultistepStep& step, const History& eps, NoiseSource&) {
                          const auto& b = kAdamsBashforth[step.order - 1];
                          ops::Sum z = step.z;
                          for (std::size_t j = 0; j < step.order; ++j)
                            z += (step.next - step.sigma) * b[j] * eps[j].value;
                          return z;
                        }});
}

}  // namespace edmund::samplers
