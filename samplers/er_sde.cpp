// er_sde — ER-SDE-Solver 1 to 3, multistep solver of the extended reverse-time SDE (Cui et al.
// 2023, algorithms 1 to 3, VE form in z) on any schedule; it uses s and σ at the grid times only.
//
//   z' = r·z + (1 - r)·D + a_1·D' + a_2·D'' + √(σ'² - r²σ²)·S_noise·n,  r = ψ(σ')/ψ(σ)
//   a_1 = σ' - σ + ψ(σ')·∫ 1/ψ dτ,  a_2 = (σ' - σ)²/2 + ψ(σ')·∫ (τ - σ)/ψ dτ over [σ', σ]
//   D', D'' from divided differences of the last D in σ. ψ(σ) = σ(e^(σ^0.3) + 10), the paper's
//   choice (ER SDE 5): less noise than the reverse SDE's ψ = σ². N evaluations.
//
//   order    3         1 to 3
//   lower_order_final (never), final   see multistep.h
#include "edmund/samplers/sampler.h"
#include "multistep.h"
#include "quadrature.h"

#include <cmath>

namespace edmund::samplers {
namespace {

double psi(double sigma) { return sigma * (std::exp(std::pow(sigma, 0.3)) + 10); }

}  // namespace

Sampler make_er_sde(Options& options) {
  const OrderPolicy orders =
      read_order_policy(options, options.integer("order", 3, between(1, 3), "order of the method"));
  options.check(!orders.runge_kutta, "warm_up", "runge_kutta steps are of the ODE");
  const double S_noise = options.real("S_noise", 1.0, between(0, 10), "factor on the deviation of fresh noise");
  const auto value = [](const MultistepStep& step) { return Past{step.sigma, step.D}; };
  const auto update = [=](const MultistepStep& step, const History& m, NoiseSource& noise) {
    const double sigma = step.sigma, next = step.next, h = next - sigma, r = psi(next) / psi(sigma);
    const auto moment = [&](int k) {
      return psi(next) * integral([&](double tau) { return std::pow(tau - sigma, k) / psi(tau); }, next, sigma);
    };
    const std::vector<ops::Sum> d = divided_differences(m, step.order, 1.0);
    ops::Sum z = r * step.z + (1 - r) * d[0];
    if (step.order > 1) z += (h + moment(0)) * d[1];
    if (step.order > 2) z += (h * h / 2 + moment(1)) * 2 * d[2];
    return z + std::sqrt(next * next - r * r * sigma * sigma) * S_noise * noise.draw(step.z);
  };
  return multistep({.orders = orders, .value = value, .update = update});
}

}  // namespace edmund::samplers
