// deis — exponential Adams–Bashforth on the noise, tAB-DEIS (Zhang & Chen 2023) on any schedule,
// whose clock is its t.
//
//   z' = z + Σ_j C_j·ε_j,  ε = (z - D)/σ,  C_j = ∫_t^u L_j dσ
//   L_j are the Lagrange polynomials through the last degree + 1 times; the integrals are exact to
//   rounding. N evaluations; order degree + 1. The first steps take what past there is.
//
//   degree      3      0 to 3: the paper's tAB0 (which is DDIM) … tAB3
//   polynomial  t      the schedule's time (tAB); or sigma (the paper's ρAB), log_sigma (diffusers)
//   warm_up, lower_order_final (never), final   see multistep.h
#include "edmund/samplers/sampler.h"
#include "multistep.h"
#include "quadrature.h"

#include <cmath>

namespace edmund::samplers {

Sampler make_deis(Options& options) {
  const std::int64_t degree =
      options.integer("degree", 3, between(0, 3), "of the polynomial through past noise; 0: DDIM");
  const std::string polynomial = options.choice("polynomial", "t", {"t", "sigma", "log_sigma"}, "variable of it");
  const auto place = [=](double t, double sigma) {
    return polynomial == "t" ? t : polynomial == "sigma" ? sigma : std::log(sigma);
  };
  // ∫ τ^i dσ over the step, τ from 0 to 1 on the axis of the polynomial.
  const auto moment = [=](const MultistepStep& step, int i) {
    const double sigma = step.sigma, next = step.next, h = std::log(sigma / next);
    if (polynomial == "sigma" || i == 0) return (next - sigma) / (i + 1);
    if (polynomial == "log_sigma") return -h * next * std::tgamma(i + 1) * phi(i + 1, h);
    const auto rest = [&](double tau) {
      return std::pow(tau, i - 1) * step.schedule->sigma(std::lerp(step.t, step.u, tau));
    };
    return next - i * integral(rest, 0, 1);
  };
  const auto value = [=](const MultistepStep& step) { return Past{place(step.t, step.sigma), step.eps()}; };
  const auto update = [=](const MultistepStep& step, const History& eps, NoiseSource&) {
    const double length = place(step.u, step.next) - place(step.t, step.sigma);
    return step.z + lagrange_integral(eps, step.order, length, [&](int i) { return moment(step, i); });
  };
  return multistep({.orders = read_order_policy(options, degree + 1), .value = value, .update = update});
}

}  // namespace edmund::samplers
