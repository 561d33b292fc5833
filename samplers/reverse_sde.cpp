// reverse_sde — Euler–Maruyama steps of the reverse SDE in t (Song et al. 2021, eq. 6; the family of λ: Karras et al.
// 2022, eq. 6).
//
//   x' = x + (u - t)·[(ṡ/s + (1+λ²)σ̇/σ)·x - (1+λ²)(sσ̇/σ)·D] + λ·g·√(t - u)·n,  g² = 2s²σσ̇
//   N evaluations, no noise in the final step.
//
//   lambda  1         0 is `euler` bit for bit, without draws
//   final   denoise   or euler (of the ODE), none
#include "edmund/ops/combine.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

#include <cmath>

namespace edmund::samplers {

Sampler make_reverse_sde(Options& options) {
  const double lambda = options.real("lambda", 1.0, between(0, 10));
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    for (const auto& [t, u] : steps(grid)) {
      const double std = lambda * diffusion(path, t) * std::sqrt(t - u), h = u - t;
      const Drift v = drift(path, t, lambda);
      x = ops::combine({{1 + h * v.x, x},
                        {h * v.D, denoised(D, path, x, t)},
                        lambda > 0 ? noise.scaled(std, x.sizes().slice(1)) : ops::Term{}});
    }
    return finish(D, path, x, grid.t.back(), final);
  };
}

}  // namespace edmund::samplers
