// heun — second-order steps of the probability-flow ODE in t, with EDM's churn if asked (Karras et
// al. 2022, algorithms 1 to 3).
//
//   h = u - t;  x_m = x + αh·v(x, t);  x' = x + h·[(1 - 1/2α)·v(x, t) + 1/2α·v(x_m, t + αh)]
//   2N - 1 evaluations.
//
//   alpha  1         in (0, 1]: 1 Heun, 2/3 Ralston, 1/2 midpoint
//   S_churn, S_min, S_max, S_noise   see churn.h
//   final  denoise   or euler, none
#include "churn.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

#include <cmath>

namespace edmund::samplers {

Sampler make_heun(Options& options) {
  const double alpha =
      options.real("alpha", 1.0, {.low = 0, .high = 1, .open_low = true}, "1 Heun, 2/3 Ralston, 1/2 midpoint");
  const Churn churn = read_churn(options);
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    const std::size_t N = grid.t.size();
    for (const auto& [t, u] : steps(grid)) {
      const auto [x_hat, t_hat] = churned(churn, schedule, x, t, N, noise);
      const double h = u - t_hat;
      const ops::Sum now = velocity(D, schedule, x_hat, t_hat);
      const Tensor x_m = x_hat + alpha * h * now;
      const ops::Sum then = velocity(D, schedule, x_m, std::lerp(t_hat, u, alpha));
      x = x_hat + h * ((1 - 0.5 / alpha) * now + 0.5 / alpha * then);
    }
    return finish(D, schedule, x, grid.t.back(), final, churn, N, noise);
  };
}

}  // namespace edmund::samplers
