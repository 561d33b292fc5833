// dpmpp_2s, dpmpp_sde — singlestep DPM-Solver++ of order 2 (Lu et al. 2022b, algorithm 1) and its two stochastic forms
// (k-diffusion), in z = x/s with ln σ as the variable on every schedule.
//
//   σ_d² + up² = σ'²;  m = σ^(1-r)·σ_d^r;  z_m = (m/σ)·z + (1 - m/σ)·D;  D₂ = (1 - 1/2r)·D + 1/2r·D(z_m; m)
//   z' = (σ_d/σ)·z + (1 - σ_d/σ)·D₂ + up·S_noise·n;  2 evaluations a step
//   dpmpp_sde takes m = σ^(1-r)·σ'^r and gives z_m its share of noise too: m_d² + m_up² = m²; z_m is as above with m_d for m, plus
//   m_up·S_noise·n_m. At eta = 0 the two are one.
//
//   eta     0             share of fresh noise as in `ddim`; 1 for dpmpp_sde. k-diffusion's dpmpp_2s_ancestral is dpmpp_2s
//                         with eta: 1. No draws at 0
//   r       0.5           place of m between the two levels, in (0, 1]
//   S_noise 1             factor on the standard deviation of the noise
//   draws   independent   of dpmpp_sde: n_m and n apart; or brownian: increments of one Brownian motion in σ, correlation
//                         √((σ - m)/(σ - σ')), which is what k-diffusion's own noise sampler gives
//   final   denoise       or euler, none
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::samplers {
namespace {

Sampler singlestep(Options& options, bool noisy_stage) {
  const double eta = options.real("eta", noisy_stage ? 1.0 : 0.0, between(0, 1));
  const double r = options.real("r", 0.5, {.low = 0, .high = 1, .open_low = true});
  const double S_noise = options.real("S_noise", 1.0, between(0, 10));
  const bool brownian =
      noisy_stage && options.choice("draws", "independent", {"independent", "brownian"}) == "brownian";
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    for (const auto& [t, u] : steps(grid)) {
      const double sigma = path.sigma(t), next = path.sigma(u);
      const auto draw = [&] { return noise.normal(x.sizes().slice(1)).to(x.dtype()); };
      const auto [down, up] = ancestral_step(sigma, next, eta);
      const double m = sigma * std::pow((noisy_stage ? next : down) / sigma, r);
      const auto stage = noisy_stage ? ancestral_step(sigma, m, eta) : AncestralStep{m, 0.0};

      const Tensor z = x / path.scale(t);
      const Tensor denoised = D(z, sigma);
      Tensor z_m = (stage.down / sigma) * z + (1 - stage.down / sigma) * denoised, n_m;
      if (noisy_stage && eta > 0) n_m = draw(), z_m = z_m + (stage.up * S_noise) * n_m;
      const Tensor mixed = (1 - 0.5 / r) * denoised + (0.5 / r) * D(z_m, m);
      Tensor z_next = (down / sigma) * z + (1 - down / sigma) * mixed;
      if (eta > 0) {
        const double shared = brownian ? std::sqrt((sigma - m) / (sigma - next)) : 0.0;
        const Tensor n = brownian ? shared * n_m + std::sqrt(1 - shared * shared) * draw() : draw();
        z_next = z_next + (up * S_noise) * n;
      }
      x = path.scale(u) * z_next;
    }
    return finish(D, path, x, grid.t.back(), final);
  };
}

}  // namespace

Sampler make_dpmpp_2s(Options& options) { return singlestep(options, false); }
Sampler make_dpmpp_sde(Options& options) { return singlestep(options, true); }

}  // namespace edmund::samplers
