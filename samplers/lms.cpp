// lms — linear multistep method of Adams and Bashforth (Hairer et al. 1993, III.1) with σ as the
// variable, in z = x/s on every schedule (k-diffusion).
//
//   z' = z + Σ_j c_j·ε_j,  ε_j = (z - D)/σ at the last `order` times,  c_j = ∫_σ^σ' L_j(τ) dτ
//   L_j are the Lagrange polynomials over their σ. N evaluations.
//
//   order    4         1 to 4; 1 is `ddim`
//   warm_up, lower_order_final (never), final   see multistep.h
//   to_zero  false     true: the step to σ = 0 is one of these too (k-diffusion), not `final`
#include "edmund/samplers/sampler.h"
#include "multistep.h"

namespace edmund::samplers {

Sampler make_lms(Options& options) {
  const OrderPolicy orders =
      read_order_policy(options, options.integer("order", 4, between(1, 4), "order of the method; 1: DDIM"));
  const bool to_zero = options.flag("to_zero", false, "reach σ = 0 by the method itself, in place of `final`");
  options.check(!(to_zero && options.has("final")), "to_zero", "to_zero: true is a final step; leave out final");
  const auto value = [](const MultistepStep& step) { return Past{step.sigma, step.eps()}; };
  const auto update = [](const MultistepStep& step, const History& eps, NoiseSource&) {
    const double h = step.next - step.sigma;  // τ = (σ - σ_0)/h: dσ = h dτ
    return step.z + lagrange_integral(eps, step.order, h, [h](int i) { return h / (i + 1); });
  };
  return multistep({.orders = orders, .value = value, .update = update, .to_zero = to_zero});
}

}  // namespace edmund::samplers
