// res_2s — refined exponential solver, singlestep, of order 2 (Zhang et al. 2023) in ln σ on any
// schedule: DPM-Solver++(2S) with weights that also meet the stiff order conditions.
//
//   h = ln(σ/σ');  z_2 = e^(-c₂h)·z + c₂h·φ_1(-c₂h)·D_1;  D_2 = D(z_2; σe^(-c₂h))
//   z' = e^(-h)·z + h·(b_1·D_1 + b_2·D_2),  b_2 = φ_2(-h)/c₂,  b_1 = φ_1(-h) - b_2
//   φ: see quadrature.h. 2N - 1 evaluations.
//
//   c2     0.5       place of the second evaluation, in (0, 1]
//   final  denoise   or euler, none
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "quadrature.h"

#include <cmath>

namespace edmund::samplers {

Sampler make_res_2s(Options& options) {
  const double c2 =
      options.real("c2", 0.5, {.low = 0, .high = 1, .open_low = true}, "place of the second evaluation in ln σ");
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, Tensor x, NoiseSource&) {
    for (const auto& [t, u] : steps(grid)) {
      const double sigma = schedule.sigma(t), h = std::log(sigma / schedule.sigma(u));
      const double b2 = phi(2, -h) / c2, b1 = phi(1, -h) - b2;
      const ops::Sum z = unscaled(schedule, x, t), D_1 = D(z, sigma);
      const Tensor z_2 = std::exp(-c2 * h) * z + c2 * h * phi(1, -c2 * h) * D_1;
      const ops::Sum D_2 = D(z_2, sigma * std::exp(-c2 * h));
      x = schedule.scale(u) * (std::exp(-h) * z + h * (b1 * D_1 + b2 * D_2));
    }
    return finish(D, schedule, x, grid.t.back(), final);
  };
}

}  // namespace edmund::samplers
