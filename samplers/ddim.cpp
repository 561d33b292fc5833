// ddim, euler_ancestral — DDIM (Song et al. 2021, eq. 12) on any schedule; it uses s and σ at the
// grid times only.
//
//   z' = D + (√(σ'² - v²)/σ)·(z - D) + v·S_noise·n,  v = η·√(σ'²(σ² - σ'²)/σ²);  N evaluations
//   v is the posterior's deviation between grid times. euler_ancestral is k-diffusion's name: an
//   Euler step in σ to √(σ'² - v²), then noise.
//
//   eta      0        0 deterministic … 1 ancestral; no draws at 0; 1 for euler_ancestral
//   clip     []       [low, high]: cuts D but not the direction (z - D)/σ, as some codes do; a
//                     clipped denoiser changes both
//   threshold 0, threshold_max 1e300   the same by dynamic thresholding (denoiser.h)
//   renoise  false    z' = D + σ'·n: all noise is drawn anew (Song et al. 2023, algorithm 1, for
//                     consistency models; diffusers' stochastic flow matching). With the D of a
//                     diffusion model the samples are too alike: D is a mean
//   final    denoise  or euler, none
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

namespace edmund::samplers {
namespace {

Sampler ddim(Options& options, double usual_eta) {
  const double eta =
      options.real("eta", usual_eta, between(0, 1), "share of fresh noise: 0 deterministic, 1 ancestral");
  const double S_noise = options.real("S_noise", 1.0, between(0, 10), "factor on the deviation of fresh noise");
  const std::optional<Interval> clip =
      options.interval("clip", "bounds of D in a step, but not of its direction (z - D)/σ");
  const double share = options.real("threshold", 0.0, between(0, 1), "dynamic thresholding of D likewise; 0: none"),
               most = options.real("threshold_max", 1e300, at_least(1), "bound of what thresholding divides by");
  options.check(!clip || share == 0, "threshold", "excludes clip: choose one of them");
  const bool is_cut = clip || share > 0;
  const auto cut = [=](const Tensor& D) {
    return share > 0 ? thresholded(D, share, most) : D.clamp(clip->low, clip->high);
  };
  const bool renoise = options.flag("renoise", false, "draw all noise anew at each step (consistency models)");
  options.check(!renoise || !options.has("eta"), "renoise",
                "eta has no meaning where all noise is drawn anew; give one");
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    for (const auto& [t, u] : steps(grid)) {
      const double sigma = schedule.sigma(t);
      const auto [down, up] =
          renoise ? AncestralStep{0.0, schedule.sigma(u)} : ancestral_step(sigma, schedule.sigma(u), eta);
      const ops::Sum z = ops::Sum(x) / schedule.scale(t), D_t = denoised(D, schedule, x, t);
      const ops::Sum D_cut = is_cut ? ops::Sum(cut(Tensor(D_t))) : D_t;
      const ops::Sum n = up > 0 ? noise.draw(x) : ops::Sum();
      x = schedule.scale(u) * (down / sigma * (z - D_t) + D_cut + up * S_noise * n);
    }
    if (!is_cut) return finish(D, schedule, x, grid.t.back(), final);
    return finish([&](const Tensor& z, double level) { return cut(D(z, level)); }, schedule, x, grid.t.back(), final);
  };
}

}  // namespace

Sampler make_ddim(Options& options) { return ddim(options, 0.0); }
Sampler make_euler_ancestral(Options& options) { return ddim(options, 1.0); }

}  // namespace edmund::samplers
