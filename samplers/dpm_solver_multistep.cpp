// dpm_solver_multistep — multistep DPM-Solver (Lu et al. 2022a), DPM-Solver++ and its SDE form (Lu et al. 2022b, algorithm 2) on any
// schedule; it uses s and σ at the grid times only. dpmpp_2m, dpmpp_3m, dpmpp_2m_sde, dpmpp_3m_sde are k-diffusion's names for
// DPM-Solver++ of orders 2 and 3 with η = 0 and 1, at full order to the end.
//
//   h = ln(σ/σ'),  m = D and g = -(1+η)h (plusplus), or m = (z - D)/σ and g = h (plain);  φ: see multistep.h
//   M = φ_1(g)·m_0 + φ_2(g)·m' + 2c·φ_3(g)·m'':  m', m'' from the polynomial in ln σ through the last `order` values m
//   plusplus  z' = e^g·z - g·M + σ'·√(1 - e^(-2ηh))·S_noise·n
//   plain     z' = z - (1+η)·σ'·g·M + √(η(σ² - σ'²))·S_noise·n;  N evaluations
//
//   algorithm  plusplus   or plain; of dpm_solver_multistep, as is
//   order      2          1 to 3
//   variant    midpoint   ½φ_1 for φ_2 in order 2; or heun: φ_2 (the default of dpmpp_3m*); order 3 of both is the authors' code (so are diffusers' and
//                         k-diffusion's), c = ½, which converges at order 2; or exact: φ_2 and c = 1, the polynomial's integral
//   eta        0          stochasticity: λ² of `reverse_sde`; 1 is the authors' SDE form; no draws at 0
//   S_noise    1          factor on the standard deviation of the noise
//   warm_up, lower_order_final (diffusers; never for dpmpp_*), final   see multistep.h; warm_up: runge_kutta needs eta: 0
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "multistep.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::samplers {
namespace {

// What a name of the table has for defaults.
struct Defaults {
  double eta = 0.0;
  std::string_view variant = "midpoint", lower = "never";
};

Sampler multistep(Options& options, bool plus, std::int64_t order, const Defaults& defaults) {
  const std::string variant = options.choice("variant", defaults.variant, {"midpoint", "heun", "exact"});
  const double eta = options.real("eta", defaults.eta, between(0, 10)), c = variant == "exact" ? 1.0 : 0.5;
  const double S_noise = options.real("S_noise", 1.0, between(0, 10));
  const OrderPolicy orders = read_order_policy(options, order, defaults.lower);
  options.check(!orders.runge_kutta || eta == 0, "warm_up", "runge_kutta steps are of the ODE: needs eta: 0");
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    const auto pairs = steps(grid);
    History m;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto [t, u] = pairs[i];
      const std::size_t now = orders.at(i, pairs.size());
      const double sigma = path.sigma(t), next = path.sigma(u), h = std::log(sigma / next);
      const double g = plus ? -(1 + eta) * h : h;
      const Tensor z = x / path.scale(t), denoised = D(z, sigma);
      remember(m, {-std::log(sigma), plus ? denoised : (z - denoised) / sigma}, orders.order);
      if (orders.starts(i)) {
        x = path.scale(u) * runge_kutta_step(D, z, sigma, next, denoised);
        continue;
      }
      Tensor M = phi(1, g) * m[0].value;
      if (now > 1) {
        const double r = (m[0].at - m[1].at) / h;
        const Tensor slope = (m[0].value - m[1].value) / r;
        if (now == 2) M = M + (variant == "midpoint" ? 0.5 * phi(1, g) : phi(2, g)) * slope;
        if (now == 3) {
          const double q = (m[1].at - m[2].at) / h;
          const Tensor bend = (slope - (m[1].value - m[2].value) / q) / (r + q);
          M = M + phi(2, g) * (slope + r * bend) + (2 * c * phi(3, g)) * bend;
        }
      }
      x = path.scale(u) * (plus ? std::exp(g) * z - g * M : z - ((1 + eta) * next * g) * M);
      const double std =
          plus ? next * std::sqrt(-std::expm1(-2 * eta * h)) : std::sqrt(eta * (sigma * sigma - next * next));
      if (eta > 0) x = x + (path.scale(u) * std * S_noise) * noise.normal(x.sizes().slice(1)).to(x.dtype());
    }
    return finish(D, path, x, grid.t.back(), orders.final);
  };
}

}  // namespace

Sampler make_dpm_solver_multistep(Options& options) {
  const bool plus = options.choice("algorithm", "plusplus", {"plusplus", "plain"}) == "plusplus";
  return multistep(options, plus, options.integer("order", 2, between(1, 3)), {.lower = "diffusers"});
}
Sampler make_dpmpp_2m(Options& options) { return multistep(options, true, 2, {}); }
Sampler make_dpmpp_3m(Options& options) { return multistep(options, true, 3, {.variant = "heun"}); }
Sampler make_dpmpp_2m_sde(Options& options) { return multistep(options, true, 2, {.eta = 1.0}); }
Sampler make_dpmpp_3m_sde(Options& options) { return multistep(options, true, 3, {.eta = 1.0, .variant = "heun"}); }

}  // namespace edmund::samplers
