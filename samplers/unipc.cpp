// unipc — UniPC, a multistep predictor-corrector in ln σ (Zhao et al. 2023, algorithms 1 and 2) on any schedule; it uses
// s and σ at the grid times only.
//
//   h = ln(σ/σ'),  m = D, g = -h (x0), or m = (z - D)/σ, g = h (eps);  B = g (bh1) or e^g - 1 (bh2);  φ: see multistep.h
//   z' = e^g·z - R (x0), z - σ'·R (eps),  R = g·φ_1(g)·m_0 + B·Σ_j ρ_j·(m_j - m_0)/r_j,  r_j = ln(σ/σ_j)/h
//   ρ: Σ_j ρ_j·r_j^(i-1) = i!·g·φ_{i+1}(g)/B;  ½ where there is one j
//   The predictor takes the order - 1 values before m_0. The corrector repeats its step with D at the predicted state too
//   (r = 1), which is evaluated anyway: N evaluations, order `order` + 1, without corrector `order`.
//
//   order      3      1 to 3
//   b          bh2    or bh1
//   predict    x0     or eps;   corrector   true
//   warm_up, lower_order_final (always), final   see multistep.h
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "multistep.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::samplers {

Sampler make_unipc(Options& options) {
  const OrderPolicy orders = read_order_policy(options, options.integer("order", 3, between(1, 3)), "always");
  const bool bh2 = options.choice("b", "bh2", {"bh2", "bh1"}) == "bh2";
  const bool x0 = options.choice("predict", "x0", {"x0", "eps"}) == "x0", correct = options.flag("corrector", true);
  // The step to σ' from z through m_0, `count` values before it and, for the corrector, the one at σ'.
  const auto stepped = [=](const Tensor& z, const History& m, std::size_t count, const Past* ahead, double next) {
    std::vector<Past> others(m.begin() + 1, m.begin() + 1 + static_cast<std::ptrdiff_t>(count));
    if (ahead) others.push_back(*ahead);
    const double h = -std::log(next) - m[0].at, g = x0 ? -h : h, B = bh2 ? std::expm1(g) : g;
    std::vector<double> r, b;
    for (const auto& other : others) {
      r.push_back((other.at - m[0].at) / h);
      b.push_back(std::tgamma(r.size() + 1.0) * g * phi(static_cast<int>(r.size()) + 1, g) / B);
    }
    const std::vector<double> rho = r.size() == 1 ? std::vector{0.5} : quadrature_weights(r, b);
    Tensor R = (g * phi(1, g)) * m[0].value;
    for (std::size_t j = 0; j < r.size(); ++j) R = R + (B * rho[j] / r[j]) * (others[j].value - m[0].value);
    return x0 ? std::exp(g) * z - R : z - next * R;
  };
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource&) {
    const auto pairs = steps(grid);
    History m;
    Tensor z;  // corrected, where m_0 is
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto [t, u] = pairs[i];
      const double sigma = path.sigma(t);
      const Tensor predicted = x / path.scale(t), denoised = D(predicted, sigma);
      const Past now{-std::log(sigma), x0 ? denoised : (predicted - denoised) / sigma};
      z = correct && i > 0 && !orders.starts(i - 1) ? stepped(z, m, orders.at(i - 1, pairs.size()) - 1, &now, sigma)
                                                    : predicted;
      remember(m, now, orders.order);
      const double next = path.sigma(u);
      x = path.scale(u) * (orders.starts(i) ? runge_kutta_step(D, predicted, sigma, next, denoised)
                                            : stepped(z, m, orders.at(i, pairs.size()) - 1, nullptr, next));
    }
    return finish(D, path, x, grid.t.back(), orders.final);
  };
}

}  // namespace edmund::samplers
