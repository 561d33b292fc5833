// ancestral — the sampling chain of Ho et al. 2020 (algorithm 2) on any schedule; it uses s and σ at the grid times only.
//
//   z' = D + (σ'²/σ²)(z - D) + noise: the posterior q(z' | z, x0 = D);  N evaluations, no noise in the final step
//
//   variance  posterior   σ'²(σ² - σ'²)/σ² in z (σ_t² = β̃_t, "fixed small"); or beta: s²(σ² - σ'²) in x (σ_t² = β_t,
//                         "fixed large"); both between the two grid times, strided or not
//   final     denoise     or euler, none
#include "edmund/ops/combine.h"
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

namespace edmund::samplers {

Sampler make_ancestral(Options& options) {
  const bool beta = options.choice("variance", "posterior", {"posterior", "beta"}) == "beta";
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    for (const auto& [t, u] : steps(grid)) {
      const double sigma = path.sigma(t), sigma_u = path.sigma(u), s_u = path.scale(u), ratio = sigma_u / sigma;
      const double std = beta ? transition_std(path, t, sigma_u) : s_u * ancestral_step(sigma, sigma_u, 1.0).up;
      const double kept = ratio * ratio;  // of the noise
      x = ops::combine({{s_u * kept / path.scale(t), x},
                        {s_u * (1 - kept), denoised(D, path, x, t)},
                        noise.scaled(std, x.sizes().slice(1))});
    }
    return finish(D, path, x, grid.t.back(), final);
  };
}

}  // namespace edmund::samplers
