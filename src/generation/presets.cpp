#include "edmund/generation/presets.h"

#include <vector>

namespace edmund {
namespace {

constexpr Preset kPresets[] = {
    // Variance β ("fixed large", of its CIFAR-10 model), D clipped, all entries of the table, no
    // noise in the last step.
    {"ddpm-paper", "1000 ancestral steps, variance β, clipped", "Ho et al. 2020, algorithm 2", R"(
schedule: {type: ddpm, betas: linear, N: 1000, beta_start: 1.0e-4, beta_end: 0.02}
grid: {type: native, spacing: leading, steps: 1000}
sampler: {type: ancestral, variance: beta, final: denoise}
clip: [-1, 1]
)"},
    // Entries 0, ⌊N/S⌋, 2⌊N/S⌋ … of the table, to ᾱ = 1 at the end, not clipped. S must divide
    // 1000, or the code has a step more than S.
    {"ddim-paper", "DDIM, η = 0, 50 entries evenly spaced", "Song et al. 2021, eq. 12 and app. D.2", R"(
schedule: {type: ddpm, betas: linear, N: 1000, beta_start: 1.0e-4, beta_end: 0.02}
grid: {type: native, spacing: leading, steps: 50}
sampler: {type: ddim, eta: 0, final: denoise}
)"},
    {"ddim-paper-quadratic", "DDIM, η = 0, 50 entries spaced quadratically, as on CIFAR-10",
     "Song et al. 2021, eq. 12 and app. D.2", R"(
schedule: {type: ddpm, betas: linear, N: 1000, beta_start: 1.0e-4, beta_end: 0.02}
grid: {type: native, spacing: quadratic, steps: 50}
sampler: {type: ddim, eta: 0, final: denoise}
)"},
    {"edm-cifar10", "Heun, 18 steps, deterministic", "Karras et al. 2022, table 1 and app. F", R"(
schedule: {type: edm, sigma_min: 0.002, sigma_max: 80}
grid: {type: karras, rho: 7, steps: 18, sigma_min: 0.002, sigma_max: 80}
sampler: {type: heun, alpha: 1, final: euler}
)"},
    {"edm-imagenet64", "Heun, 256 steps, with churn", "Karras et al. 2022, table 5", R"(
schedule: {type: edm, sigma_min: 0.002, sigma_max: 80}
grid: {type: karras, rho: 7, steps: 256, sigma_min: 0.002, sigma_max: 80}
sampler: {type: heun, alpha: 1, S_churn: 40, S_min: 0.05, S_max: 50, S_noise: 1.003, final: euler}
)"},
    // 1000 times from 1 to ε = 1e-3 lie exactly 1/1000 apart; the last step, without noise, ends at
    // t = 0.
    {"score-sde-vp", "Euler-Maruyama of the VP SDE, 1000 steps", "Song et al. 2021, app. G", R"(
schedule: {type: vp, beta_min: 0.1, beta_max: 20, t_min: 1.0e-3}
grid: {type: uniform, steps: 1000}
sampler: {type: predictor_corrector, predictor: euler_maruyama, corrector: none, final: predictor}
)"},
    // σ for images in [-1, 1], twice those of the paper's [0, 1]. Norms over the batch: an image
    // depends on the others of its batch.
    {"score-sde-ve", "reverse diffusion and Langevin steps on the VE SDE, 1000 times", "Song et al. 2021, app. G", R"(
schedule: {type: ve, clock: geometric, sigma_min: 0.02, sigma_max: 100}
grid: {type: uniform, steps: 1000}
sampler: {type: predictor_corrector, predictor: reverse_diffusion, corrector: langevin, snr: 0.16, corrector_steps: 1,
          norms: batch, final: predictor}
)"},
    // Times 0.999·(1 - i/1000). The code's steps are 1/1000 long, which is 0.1 % more than the way;
    // here they end at t = 0.
    {"rectified-flow", "Euler, 1000 equal steps (its reported numbers used RK45)", "Liu et al. 2023", R"(
schedule: {type: flow, t_min: 9.99e-4, t_max: 0.999}
grid: {type: uniform, steps: 1000, sigma_min: 9.99998999e-4, sigma_max: 999}
sampler: {type: euler, final: euler}
)"},
    // 20 steps, evenly in t, from the last entry of the table to the first, where the sample is
    // taken as it is.
    {"dpm-solver++-paper", "DPM-Solver++(2M), 20 steps evenly in t", "Lu et al. 2022b, algorithm 2", R"(
schedule: {type: ddpm, betas: linear, N: 1000, beta_start: 1.0e-4, beta_end: 0.02, interpolation: linear_log_alpha}
grid: {type: uniform, steps: 21}
sampler: {type: dpm_solver_multistep, algorithm: plusplus, order: 2, variant: midpoint, lower_order_final: authors, final: none}
)"},
};

}  // namespace

std::span<const Preset> preset_table() { return kPresets; }

void apply_preset(Options& sampling) {
  std::vector<std::string_view> names{"none"};
  for (const auto& preset : kPresets) names.push_back(preset.name);
  const std::string chosen = sampling.choice(
      "preset", "none", names, "a paper's schedule, grid, sampler and clipping; keys that are given stand over it");
  for (const auto& preset : kPresets)
    if (preset.name == chosen) sampling.stand_on(preset.yaml, "preset " + chosen);
}

}  // namespace edmund
