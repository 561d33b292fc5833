// dpm_solver_multistep — multistep DPM-Solver (Lu et al. 2022a), DPM-Solver++ and its SDE form (Lu et al. 2022b) on any schedule;
// it uses s and σ at the grid times only.
//
//   h = ln(σ/σ'),  m = D and g = -(1+η)h (plusplus), or m = (z - D)/σ and g = h (plain);  φ: see multistep.h
//   M = φ_1(g)·m_0 + φ_2(g)·m' + 2c·φ_3(g)·m'':  m', m'' from the polynomial in ln σ through the last `order` values m
//   plusplus  z' = e^g·z - g·M + σ'·√(1 - e^(-2ηh))·n
//   plain     z' = z - (1+η)·σ'·g·M + √(η(σ² - σ'²))·n;  N evaluations
//
//   algorithm  plusplus   or plain
//   order      2          1 to 3
//   variant    midpoint   ½φ_1 for φ_2 in order 2; or heun: φ_2; order 3 of both is the authors' code, c = ½, which
//                         converges at order 2; or exact: φ_2 and c = 1, the integral of the polynomial
//   eta        0          stochasticity: λ² of `reverse_sde`; 1 is the authors' SDE form; no draws at 0
//   lower_order_final   diffusers   or authors, always, last, never (see multistep.h);   final   denoise   or euler, none
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "multistep.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::samplers {

Sampler make_dpm_solver_multistep(Options& options) {
  const bool plus = options.choice("algorithm", "plusplus", {"plusplus", "plain"}) == "plusplus";
  const std::string variant = options.choice("variant", "midpoint", {"midpoint", "heun", "exact"});
  const double eta = options.real("eta", 0.0, between(0, 10)), c = variant == "exact" ? 1.0 : 0.5;
  const Orders orders = read_orders(options, 2, "diffusers");
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    const auto pairs = steps(grid);
    History m;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto [t, u] = pairs[i];
      const std::size_t order = orders.at(i, pairs.size());
      const double sigma = path.sigma(t), next = path.sigma(u), h = std::log(sigma / next);
      const double g = plus ? -(1 + eta) * h : h;
      const Tensor z = x / path.scale(t), denoised = D(z, sigma);
      remember(m, {-std::log(sigma), plus ? denoised : (z - denoised) / sigma}, orders.highest);
      Tensor M = varphi(1, g) * m[0].value;
      if (order > 1) {
        const double r = (m[0].at - m[1].at) / h;
        const Tensor slope = (m[0].value - m[1].value) / r;
        if (order == 2) M = M + (variant == "midpoint" ? 0.5 * varphi(1, g) : varphi(2, g)) * slope;
        if (order == 3) {
          const double q = (m[1].at - m[2].at) / h;
          const Tensor bend = (slope - (m[1].value - m[2].value) / q) / (r + q);
          M = M + varphi(2, g) * (slope + r * bend) + (2 * c * varphi(3, g)) * bend;
        }
      }
      x = path.scale(u) * (plus ? std::exp(g) * z - g * M : z - ((1 + eta) * next * g) * M);
      const double std =
          plus ? next * std::sqrt(-std::expm1(-2 * eta * h)) : std::sqrt(eta * (sigma * sigma - next * next));
      if (eta > 0) x = x + (path.scale(u) * std) * noise.normal(x.sizes().slice(1)).to(x.dtype());
    }
    return finish(D, path, x, grid.t.back(), orders.final);
  };
}

}  // namespace edmund::samplers
