// dpm_solver, dpm_2, dpm_2_ancestral — singlestep DPM-Solver (Lu et al. 2022) in z = x/s, with σ as
// the variable on every schedule.
//
//   σ_d² + up² = σ'²;  z' = [dpm_step.h from σ to σ_d](z) + up·S_noise·n;  `order` evaluations
//   dpm_2*: order 2, z' = z + (σ_d - σ)·ε(z_m; m), z_m = z + (m - σ)·ε, m = √(σσ_d): DPM-Solver-2
//   as Karras et al. 2022 write it. On the log_snr grid of ⌊n/3⌋ + 2 times, with final: none and
//   `ending` [2, 1] where 3 divides n, else [n mod 3], dpm_solver is k-diffusion's dpm_fast.
//
//   order   3         of dpm_solver: 1, 2 or 3
//   ending  []        of dpm_solver: orders of the last steps
//   eta     0         share of fresh noise as in `ddim`; 1 for dpm_2_ancestral. No draws at 0
//   floor   none      or grid (default of dpm_solver): with noise σ_d is not below the last grid σ
//   S_churn, S_min, S_max, S_noise   see churn.h
//   final   denoise   or euler, none
#include "churn.h"
#include "dpm_step.h"
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

#include <algorithm>
#include <cmath>

namespace edmund::samplers {
namespace {

Sampler singlestep(Options& options, std::int64_t order, const std::vector<std::int64_t>& ending, double usual_eta,
                   std::string_view usual_floor) {
  const double eta = options.real("eta", usual_eta, between(0, 1), "share of fresh noise");
  const bool floor = options.choice("floor", usual_floor, {"none", "grid"}, "lowest level before noise") == "grid";
  const Churn churn = read_churn(options);
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    const std::size_t N = grid.t.size();
    const double last = schedule.sigma(grid.t.back());
    for (std::size_t i = 0; i + 1 < N; ++i) {
      const std::size_t left = N - 1 - i;
      const auto [x_hat, t_hat] = churned(churn, schedule, x, grid.t[i], N, noise);
      const double sigma = schedule.sigma(t_hat), next = schedule.sigma(grid.t[i + 1]),
                   s = schedule.scale(grid.t[i + 1]);
      auto [down, up] = ancestral_step(sigma, next, eta);
      if (floor && down < last) down = last, up = std::sqrt((next - down) * (next + down));
      const std::int64_t now = left <= ending.size() ? ending[ending.size() - left] : order;
      const ops::Sum n = eta > 0 ? noise.draw(x) : ops::Sum();
      x = s * (dpm_step(now, D, unscaled(schedule, x_hat, t_hat), sigma, down).z + up * churn.noise * n);
    }
    return finish(D, schedule, x, grid.t.back(), final, churn, N, noise);
  };
}

}  // namespace

Sampler make_dpm_2(Options& options) { return singlestep(options, 2, {}, 0.0, "none"); }
Sampler make_dpm_2_ancestral(Options& options) { return singlestep(options, 2, {}, 1.0, "none"); }
Sampler make_dpm_solver(Options& options) {
  const std::int64_t order = options.integer("order", 3, between(1, 3), "evaluations a step");
  return singlestep(options, order, options.integers("ending", {}, between(1, 3), "orders at the end"), 0.0, "grid");
}

}  // namespace edmund::samplers
