// dpm_solver_multistep — multistep DPM-Solver, DPM-Solver++ and its SDE form (Lu et al. 2022a, b).
// dpmpp_2m, dpmpp_3m and their _sde are k-diffusion's names for DPM-Solver++ with η = 0 and 1.
//
//   h = ln(σ/σ');  plusplus: m = D, g = -(1+η)h;  plain: m = (z - D)/σ, g = h;  φ: see quadrature.h
//   M = φ_1(g)·m_0 + φ_2(g)·m' + 2c·φ_3(g)·m'', of the polynomial in ln σ through the last m
//   plusplus  z' = e^g·z - g·M + σ'·√(1 - e^(-2ηh))·S_noise·n
//   plain     z' = z - (1+η)·σ'·g·M + √(η(σ² - σ'²))·S_noise·n;  N evaluations, at grid times only
//
//   algorithm  plusplus   or plain; of dpm_solver_multistep, as is `order`: 2, 1 to 3
//   variant    midpoint   ½φ_1 for φ_2 in order 2; or heun: φ_2 (default of dpmpp_3m*). In order 3
//                         both have c = ½, as all codes, and order 2; or exact: φ_2 and c = 1
//   eta        0          λ² of `reverse_sde`; 1 is the authors' SDE form; no draws at 0
//   warm_up (runge_kutta needs eta: 0), lower_order_final (diffusers; dpmpp_*: never), final
#include "edmund/samplers/sampler.h"
#include "multistep.h"
#include "quadrature.h"

#include <cmath>

namespace edmund::samplers {
namespace {

struct Defaults {
  double eta = 0.0;
  std::string_view variant = "midpoint", lower = "never";
};

Sampler dpm_solver(Options& options, bool plus, std::int64_t order, const Defaults& defaults) {
  const std::string variant = options.choice("variant", defaults.variant, {"midpoint", "heun", "exact"}, "of order 2");
  const double eta = options.real("eta", defaults.eta, between(0, 10), "fresh noise: 0 none, 1 the SDE"),
               c = variant == "exact" ? 1.0 : 0.5;
  const double S_noise = options.real("S_noise", 1.0, between(0, 10), "factor on the deviation of fresh noise");
  const OrderPolicy orders = read_order_policy(options, order, defaults.lower);
  options.check(!orders.runge_kutta || eta == 0, "warm_up", "runge_kutta steps are of the ODE: needs eta: 0");
  const auto value = [=](const MultistepStep& step) { return Past{-std::log(step.sigma), plus ? step.D : step.eps()}; };
  const auto update = [=](const MultistepStep& step, const History& m, NoiseSource& noise) {
    const double sigma = step.sigma, next = step.next, h = std::log(sigma / next), g = plus ? -(1 + eta) * h : h;
    const std::vector<ops::Sum> d = divided_differences(m, step.order, h);
    ops::Sum M = phi(1, g) * d[0];
    if (step.order == 2) M += (variant == "midpoint" ? 0.5 * phi(1, g) : phi(2, g)) * d[1];
    if (step.order == 3) M += phi(2, g) * (d[1] + (m[0].at - m[1].at) / h * d[2]) + 2 * c * phi(3, g) * d[2];
    const ops::Sum n = eta > 0 ? S_noise * noise.draw(step.z) : ops::Sum();
    if (plus) return std::exp(g) * step.z - g * M + next * std::sqrt(-std::expm1(-2 * eta * h)) * n;
    return step.z - (1 + eta) * next * g * M + std::sqrt(eta * (sigma - next) * (sigma + next)) * n;
  };
  return multistep({.orders = orders, .value = value, .update = update});
}

}  // namespace

Sampler make_dpm_solver_multistep(Options& options) {
  const bool plus = options.choice("algorithm", "plusplus", {"plusplus", "plain"}, "extrapolate D or ε") == "plusplus";
  return dpm_solver(options, plus, options.integer("order", 2, between(1, 3), "of the method"), {.lower = "diffusers"});
}
Sampler make_dpmpp_2m(Options& options) { return dpm_solver(options, true, 2, {}); }
Sampler make_dpmpp_3m(Options& options) { return dpm_solver(options, true, 3, {.variant = "heun"}); }
Sampler make_dpmpp_2m_sde(Options& options) { return dpm_solver(options, true, 2, {.eta = 1.0}); }
Sampler make_dpmpp_3m_sde(Options& options) { return dpm_solver(options, true, 3, {.eta = 1.0, .variant = "heun"}); }

}  // namespace edmund::samplers
