// unipc — UniPC, a multistep predictor-corrector in ln σ (Zhao et al. 2023, algorithms 1 and 2) on
// any schedule; it uses s and σ at the grid times only.
//
//   h = ln(σ/σ');  x0: m = D, g = -h;  eps: m = (z - D)/σ, g = h;  B = g (bh1), e^g - 1 (bh2)
//   R = g·φ_1(g)·m_0 + B·Σ_j ρ_j·(m_j - m_0)/r_j,  r_j = ln(σ/σ_j)/h;  φ: see quadrature.h
//   ρ: Σ_j ρ_j·r_j^(i-1) = i!·g·φ_{i+1}(g)/B;  ½ where there is one j
//   x0: z' = e^g·z - R;  eps: z' = z - σ'·R
//   The predictor takes the order - 1 values before m_0. The corrector repeats its step with D at
//   the predicted state too (r = 1), which is evaluated anyway: N evaluations, order `order` + 1;
//   without corrector `order`.
//
//   order      3      1 to 6; beyond 3 for smooth D and many steps
//   b          bh2    or bh1
//   predict    x0     or eps;   corrector   true
//   warm_up, lower_order_final (always), final   see multistep.h
#include "edmund/samplers/sampler.h"
#include "multistep.h"
#include "quadrature.h"

#include <cmath>

namespace edmund::samplers {

Sampler make_unipc(Options& options) {
  const OrderPolicy orders =
      read_order_policy(options, options.integer("order", 3, between(1, 6), "order of the predictor"), "always");
  const bool bh2 = options.choice("b", "bh2", {"bh2", "bh1"}, "B: e^h - 1, or h") == "bh2";
  const bool x0 = options.choice("predict", "x0", {"x0", "eps"}, "extrapolate D, or the noise") == "x0",
             correct = options.flag("corrector", true, "repeat a step with the evaluation at its end");
  // The step through m_0, the values before it and, for the corrector, the one at σ'.
  const auto stepped = [=](const MultistepStep& step, const History& m, const Past* ahead) {
    std::vector<Past> others(m.begin() + 1, m.begin() + static_cast<std::ptrdiff_t>(step.order));
    if (ahead) others.push_back(*ahead);
    const double h = std::log(step.sigma / step.next), g = x0 ? -h : h, B = bh2 ? std::expm1(g) : g;
    std::vector<double> r, b;
    for (const auto& other : others) {
      r.push_back((other.at - m[0].at) / h);
      b.push_back(std::tgamma(r.size() + 1.0) * g * phi(static_cast<int>(r.size()) + 1, g) / B);
    }
    const std::vector<double> rho = r.size() == 1 ? std::vector{0.5} : quadrature_weights(r, b);
    ops::Sum R = g * phi(1, g) * m[0].value;
    for (std::size_t j = 0; j < r.size(); ++j) R += B * rho[j] / r[j] * (others[j].value - m[0].value);
    return x0 ? std::exp(g) * step.z - R : step.z - step.next * R;
  };
  MultistepMethod method{.orders = orders};
  method.value = [=](const MultistepStep& step) { return Past{-std::log(step.sigma), x0 ? step.D : step.eps()}; };
  method.update = [=](const MultistepStep& step, const History& m, NoiseSource&) { return stepped(step, m, nullptr); };
  if (correct)
    method.correct = [=](const MultistepStep& step, const History& m, const Past& ahead) {
      return stepped(step, m, &ahead);
    };
  return multistep(method);
}

}  // namespace edmund::samplers
