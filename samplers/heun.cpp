// heun — second-order steps of the probability-flow ODE in t, with EDM's churn if asked (Karras et al. 2022,
// algorithms 1 to 3).
//
//   m = t + α(u - t);  x_m = x + α(u - t)·v(x, t);  x' = x + (u - t)·[(1 - 1/2α)·v(x, t) + 1/2α·v(x_m, m)]
//   2N - 1 evaluations.
//
//   alpha  1         in (0, 1]: 1 Heun, 2/3 Ralston, 1/2 midpoint
//   S_churn, S_min, S_max, S_noise   see churn.h
//   final  denoise   or euler, none
#include "churn.h"
#include "edmund/ops/combine.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

#include <cmath>

namespace edmund::samplers {

Sampler make_heun(Options& options) {
  const double alpha = options.real("alpha", 1.0, {.low = 0, .high = 1, .open_low = true});
  const Churn churn = read_churn(options);
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    const std::size_t N = grid.t.size();
    for (const auto& [t, u] : steps(grid)) {
      const auto [x_hat, t_hat] = churned(churn, path, x, t, N, noise);
      const double h = u - t_hat, m = std::lerp(t_hat, u, alpha);
      const Drift v = drift(path, t_hat), v_m = drift(path, m);
      const Tensor D_hat = denoised(D, path, x_hat, t_hat);
      const Tensor x_m = ops::combine({{1 + alpha * h * v.x, x_hat}, {alpha * h * v.D, D_hat}});
      const Tensor D_m = denoised(D, path, x_m, m);
      const double now = h * (1 - 0.5 / alpha), then = h * 0.5 / alpha;
      x = ops::combine({{1 + now * v.x, x_hat}, {now * v.D, D_hat}, {then * v_m.x, x_m}, {then * v_m.D, D_m}});
    }
    if (final == Final::kNone) return x;
    const auto [x_hat, t_hat] = churned(churn, path, x, grid.t.back(), N, noise);
    return finish(D, path, x_hat, t_hat, final);
  };
}

}  // namespace edmund::samplers
