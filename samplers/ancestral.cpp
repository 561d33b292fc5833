// ancestral — the sampling chain of Ho et al. 2020 (algorithm 2) on any schedule; it uses s and σ
// at the grid times only.
//
//   z' = (σ'²/σ²)·z + (1 - σ'²/σ²)·D + noise: the posterior q(z' | z, x0 = D)
//   N evaluations, no noise in the final step
//
//   variance  posterior   σ'²(σ² - σ'²)/σ² in z (σ_t² = β̃_t, "fixed small"); or beta: s²(σ² - σ'²)
//                         in x (σ_t² = β_t, "fixed large"); both between grid times, strided or not
//   final     denoise     or euler, none
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "reverse_step.h"

namespace edmund {

ReverseStep posterior_step(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t,
                           const StepEnd& end, bool beta) {
  const double sigma = schedule.sigma(t), ratio = end.sigma / sigma, kept = ratio * ratio;
  const ops::Sum z = ops::Sum(x) / schedule.scale(t), D_t = denoised(D, schedule, x, t);
  return {.mean = end.scale * (kept * z + (1 - kept) * D_t),
          .std = beta ? transition_std(schedule, t, end.sigma) : end.scale * ancestral_step(sigma, end.sigma, 1.0).up};
}

namespace samplers {

Sampler make_ancestral(Options& options) {
  const bool beta =
      options.choice("variance", "posterior", {"posterior", "beta"}, "of a step: posterior, or forward (β)") == "beta";
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    for (const auto& [t, u] : steps(grid))
      x = drawn(posterior_step(D, schedule, x, t, step_end(schedule, u), beta), x, noise);
    return finish(D, schedule, x, grid.t.back(), final);
  };
}

}  // namespace samplers
}  // namespace edmund
