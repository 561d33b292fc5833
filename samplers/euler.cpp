// euler — Euler steps of the probability-flow ODE in t (Karras et al. 2022, eq. 4), with EDM's
// churn if asked.
//
//   x' = x + (u - t)·dx/dt;  N evaluations. On `edm` and `flow` it is DDIM with η = 0.
//
//   S_churn, S_min, S_max, S_noise   see churn.h
//   final  denoise   or euler, none
#include "churn.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

namespace edmund::samplers {

Sampler make_euler(Options& options) {
  const Churn churn = read_churn(options);
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    const std::size_t N = grid.t.size();
    for (const auto& [t, u] : steps(grid)) {
      const auto [x_hat, t_hat] = churned(churn, schedule, x, t, N, noise);
      x = x_hat + (u - t_hat) * velocity(D, schedule, x_hat, t_hat);
    }
    return finish(D, schedule, x, grid.t.back(), final, churn, N, noise);
  };
}

}  // namespace edmund::samplers
