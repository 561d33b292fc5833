// dpm_adaptive — DPM-Solver-12 and -23 with adaptive steps (Lu et al. 2022, appendix C), in z = x/s
// with ln σ as the variable. Of the grid it uses the two ends.
//
//   z' and z'_low are those of dpm_step.h
//   E = rms((z' - z'_low)/max(atol, rtol·max(|z'_low|, |z_low|)))
//   h' = h·factor, see step_controller.h, which rejects small ones; `order` evaluations a try
//
//   order  3        2 or 3
//   rtol   0.05     E as in Lu et al. 2022
//   atol   0.0078
//   h      0.05     first step in ln σ
//   pcoeff, icoeff, dcoeff, accept_safety   see step_controller.h
//   error  image    E of each image by itself, see one_by_one.h; or batch: one E and one sequence
//                   of steps for all (k-diffusion), so that an image depends on its batch
//   final  denoise  or euler, none
#include "dpm_step.h"
#include "edmund/core/error.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "one_by_one.h"
#include "step_controller.h"

#include <ATen/ops/maximum.h>
#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::samplers {

Sampler make_dpm_adaptive(Options& options) {
  const std::int64_t order = options.integer("order", 3, between(2, 3), "order of the solver");
  const double rtol = options.real("rtol", 0.05, between(0, 1), "relative error of a step"),
               atol = options.real("atol", 0.0078, above(0), "absolute error of a step");
  const double first = options.real("h", 0.05, above(0), "first step in ln σ");
  const StepControl control = read_step_control(options);
  const bool whole = options.choice("error", "image", {"image", "batch"}, "of which a step is judged") == "batch";
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, const Tensor& x, NoiseSource&) {
    const double t = grid.t.front(), u = grid.t.back(), last = schedule.sigma(u);
    const auto solved = [&](const Denoiser& seen, Tensor z) {
      Tensor lower = z;
      double sigma = schedule.sigma(t);
      for (StepController steps(control, order, first); std::log(sigma / last) > 1e-5;) {
        const double next = std::max(last, sigma * std::exp(-steps.length()));
        require(next < sigma,
                "dpm_adaptive: the step vanished at σ = {}: D is not finite there, or rtol and atol ask for too much",
                sigma);
        const auto step = dpm_step(order, seen, z, sigma, next);
        const Tensor better = step.z, worse = step.lower;
        const Tensor allowed = (rtol * at::maximum(worse.abs(), lower.abs())).clamp_min(atol);
        const double E = ((worse - better) / allowed).square().mean().sqrt().item<double>();
        if (steps.passes(E)) z = better, lower = worse, sigma = next;
      }
      return z;
    };
    const Tensor z = unscaled(schedule, x, t), end = whole ? solved(D, z) : one_by_one(D, z, solved);
    return finish(D, schedule, schedule.scale(u) * ops::Sum(end), u, final);
  };
}

}  // namespace edmund::samplers
