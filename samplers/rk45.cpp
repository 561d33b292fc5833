// rk45 — adaptive Runge–Kutta pair 5(4) of Dormand & Prince 1980 on dz/dℓ = z - D, z = x/s, ℓ = ln
// σ, on every schedule: the ground truth of the ODE. Of the grid it uses the two ends.
//
//   error of an image: root mean square of e/(atol + rtol·max(|z|, |z'|)); each image chooses
//   its own steps, see image_clocks.h. 6 evaluations a try, 1 at the start.
//
//   rtol   1e-5     relative and
//   atol   1e-5     absolute error of a step (Song et al. 2021)
//   final  denoise  or euler, none
#include "edmund/core/error.h"
#include "edmund/samplers/dormand_prince.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "image_clocks.h"

#include <ATen/ops/maximum.h>
#include <ATen/ops/where.h>
#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::samplers {

Sampler make_rk45(Options& options) {
  const double rtol = options.real("rtol", 1e-5, between(0, 1), "relative error of a step"),
               atol = options.real("atol", 1e-5, above(0), "absolute error of a step");
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, const Tensor& x, NoiseSource&) {
    const double high = schedule.sigma(grid.t.front()), low = schedule.sigma(grid.t.back()),
                 range = std::log(low / high);
    if (grid.t.size() == 1) return finish(D, schedule, x, grid.t.back(), final);
    const Slope f = [&](double p, const Tensor& z) -> Tensor {
      return range * (z - ops::Sum(D(z, high * std::exp(range * p))));
    };
    // Of each image at its own place.
    Tensor z = unscaled(schedule, x, grid.t.front()), slope = f(0.0, z);
    for (ImageClocks clocks(x.size(0)); !clocks.done();) {
      const auto [p, h] = clocks.next();
      require(h > 0, "rk45: the step vanished: D is not finite, or rtol and atol ask for more than {} has",
              x.scalar_type() == at::kDouble ? "double precision" : "the precision of the images");
      const auto [next, error, last] = dormand_prince_step(f, p, h, z, slope);
      const Tensor relative = error / (atol + rtol * at::maximum(z.abs(), next.abs()));
      const Tensor taken = clocks.advance(relative.flatten(1).square().mean(1).sqrt()).view({-1, 1, 1, 1});
      z = at::where(taken, next, z), slope = at::where(taken, last, slope);
    }
    return finish(D, schedule, schedule.scale(grid.t.back()) * ops::Sum(z), grid.t.back(), final);
  };
}

}  // namespace edmund::samplers
