// dpmpp_2s, dpmpp_sde — singlestep DPM-Solver++ of order 2 (Lu et al. 2022b, algorithm 1) and its
// two stochastic forms (k-diffusion), in z = x/s with ln σ as the variable on every schedule.
//
//   σ_d² + up² = σ'²;  m = σ^(1-r)·σ_d^r;  z_m = (m/σ)·z + (1 - m/σ)·D
//   D₂ = (1 - 1/2r)·D + 1/2r·D(z_m; m);  z' = (σ_d/σ)·z + (1 - σ_d/σ)·D₂ + up·S_noise·n
//   2 evaluations a step. dpmpp_sde: m = σ^(1-r)·σ'^r, and z_m is noisy too: m_d² + m_up² = m², m_d
//   for m in z_m, plus m_up·S_noise·n_m. At eta = 0 the two are one.
//
//   eta      0            share of fresh noise as in `ddim`; 1 for dpmpp_sde; no draws at 0.
//                         dpmpp_2s with eta: 1 is k-diffusion's dpmpp_2s_ancestral
//   r        0.5          place of m between the two levels, in (0, 1]
//   draws    independent  of dpmpp_sde: n_m and n apart; or brownian: increments of one Brownian
//                         motion in σ (k-diffusion), with correlation √((σ - m)/(σ - σ'))
//   final    denoise      or euler, none
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

#include <cmath>

namespace edmund::samplers {
namespace {

Sampler singlestep(Options& options, bool noisy_stage) {
  const double eta = options.real("eta", noisy_stage ? 1.0 : 0.0, between(0, 1), "share of fresh noise");
  const double r = options.real("r", 0.5, {.low = 0, .high = 1, .open_low = true}, "place of the second evaluation");
  const double S_noise = options.real("S_noise", 1.0, between(0, 10), "factor on the deviation of fresh noise");
  const bool brownian = noisy_stage && options.choice("draws", "independent", {"independent", "brownian"},
                                                      "noise of the two stages") == "brownian";
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    for (const auto& [t, u] : steps(grid)) {
      const double sigma = schedule.sigma(t), next = schedule.sigma(u);
      const auto [down, up] = ancestral_step(sigma, next, eta);
      const double m = sigma * std::pow((noisy_stage ? next : down) / sigma, r);
      const auto [m_d, m_up] = noisy_stage ? ancestral_step(sigma, m, eta) : AncestralStep{m, 0.0};
      const ops::Sum z = unscaled(schedule, x, t), D_t = D(z, sigma);
      const ops::Sum n_m = !noisy_stage || eta == 0 ? ops::Sum()
                           : brownian               ? ops::Sum(noise.normal(x.sizes().slice(1)))
                                                    : noise.draw(x);
      const ops::Sum D_m = D(m_d / sigma * z + (1 - m_d / sigma) * D_t + m_up * S_noise * n_m, m);
      const ops::Sum D_2 = (1 - 0.5 / r) * D_t + 0.5 / r * D_m;
      ops::Sum n = eta > 0 ? noise.draw(x) : ops::Sum();
      if (brownian) n = std::sqrt((sigma - m) / (sigma - next)) * n_m + std::sqrt((m - next) / (sigma - next)) * n;
      x = schedule.scale(u) * (down / sigma * z + (1 - down / sigma) * D_2 + up * S_noise * n);
    }
    return finish(D, schedule, x, grid.t.back(), final);
  };
}

}  // namespace

Sampler make_dpmpp_2s(Options& options) { return singlestep(options, false); }
Sampler make_dpmpp_sde(Options& options) { return singlestep(options, true); }

}  // namespace edmund::samplers
