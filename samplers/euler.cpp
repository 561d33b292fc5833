// euler — Euler steps of the probability-flow ODE in t (Karras et al. 2022, eq. 4), with EDM's churn if asked.
//
//   x' = x + (u - t)·dx/dt;  N evaluations. On `edm` and `flow` it is DDIM with η = 0.
//
//   S_churn, S_min, S_max, S_noise   see churn.h
//   final  denoise   or euler, none
#include "churn.h"
#include "edmund/ops/combine.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

namespace edmund::samplers {

Sampler make_euler(Options& options) {
  const Churn churn = read_churn(options);
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    const std::size_t N = grid.t.size();
    for (const auto& [t, u] : steps(grid)) {
      const auto [x_hat, t_hat] = churned(churn, path, x, t, N, noise);
      const Drift v = drift(path, t_hat);
      const double h = u - t_hat;
      x = ops::combine({{1 + h * v.x, x_hat}, {h * v.D, denoised(D, path, x_hat, t_hat)}});
    }
    if (final == Final::kNone) return x;
    const auto [x_hat, t_hat] = churned(churn, path, x, grid.t.back(), N, noise);
    return finish(D, path, x_hat, t_hat, final);
  };
}

}  // namespace edmund::samplers
