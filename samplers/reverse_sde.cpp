// reverse_sde — Euler–Maruyama steps of the reverse SDE in t (Song et al. 2021, eq. 6; the family
// of λ: Karras et al. 2022, eq. 6).
//
//   x' = x + (u - t)·[(ṡ/s + (1+λ²)σ̇/σ)·x - (1+λ²)(sσ̇/σ)·D] + λ·g·√(t - u)·n,  g² = 2s²σσ̇
//   N evaluations, no noise in the final step.
//
//   lambda  1         0 is `euler` bit for bit, without draws
//   final   denoise   or euler (of the ODE), none
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "reverse_step.h"

#include <cmath>

namespace edmund {

ReverseStep euler_maruyama_step(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t, double u,
                                double lambda) {
  return {.mean = x + (u - t) * velocity(D, schedule, x, t, lambda),
          .std = lambda > 0 ? lambda * diffusion(schedule, t) * std::sqrt(t - u) : 0.0};
}

namespace samplers {

Sampler make_reverse_sde(Options& options) {
  const double lambda = options.real("lambda", 1.0, between(0, 10), "share of noise: 1 the SDE, 0 the ODE (Euler)");
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    for (const auto& [t, u] : steps(grid)) x = drawn(euler_maruyama_step(D, schedule, x, t, u, lambda), x, noise);
    return finish(D, schedule, x, grid.t.back(), final);
  };
}

}  // namespace samplers
}  // namespace edmund
