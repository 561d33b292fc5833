// rk45 — adaptive Runge–Kutta pair 5(4) of Dormand & Prince 1980 on dz/dℓ = z - D, z = x/s, ℓ = ln σ, on every schedule: the
// ground truth of the ODE. Of the grid it uses the two ends.
//
//   error of an image: root mean square of e/(atol + rtol·max(|z|, |z'|)); a step is taken if it is at most 1
//   Steps are the range of ln σ halved some times. Each image chooses its own: halved until the error passes, doubled when 2⁵
//   times the error would pass and the place allows it. Images at one place with one step go together, so that an image is the
//   same in any batch and a batch costs little more than its most difficult image. 6 evaluations a try, 1 at the start.
//
//   rtol   1e-5     relative and
//   atol   1e-5     absolute error of a step (Song et al. 2021)
//   final  denoise  or euler, none
#include "edmund/core/error.h"
#include "edmund/samplers/dormand_prince.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

#include <algorithm>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::samplers {
namespace {

// Place and step of an image, in parts of the whole range.
constexpr std::int64_t kWhole = std::int64_t{1} << 40;
struct Clock {
  std::int64_t at = 0, step = kWhole >> 6;
  auto operator<=>(const Clock&) const = default;
};

// Clock of an image whose step had this error.
Clock advanced(Clock clock, double error) {
  if (!(error <= 1)) return {clock.at, clock.step / 2};
  clock.at += clock.step;
  if (32 * error < 0.9 && clock.at < kWhole && clock.at % (2 * clock.step) == 0) clock.step *= 2;
  return clock;
}

}  // namespace

Sampler make_rk45(Options& options) {
  const double rtol = options.real("rtol", 1e-5, between(0, 1)), atol = options.real("atol", 1e-5, above(0));
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource&) {
    const double high = path.sigma(grid.t.front()), low = path.sigma(grid.t.back()), range = std::log(low / high);
    if (grid.t.size() == 1) return finish(D, path, x, grid.t.back(), final);
    const Slope f = [&](double p, const Tensor& z) { return range * (z - D(z, high * std::exp(range * p))); };
    Tensor z = x / path.scale(grid.t.front()), slope = f(0.0, z);  // of each image at its own place
    std::vector<Clock> clocks(static_cast<std::size_t>(x.size(0)));
    for (Clock now; (now = *std::min_element(clocks.begin(), clocks.end())).at < kWhole;) {
      require(now.step > 0, "rk45: the step vanished: D is not finite, or rtol and atol ask for more than {} has",
              x.scalar_type() == at::kDouble ? "double precision" : "the precision of the images");
      const double p = static_cast<double>(now.at) / kWhole, h = static_cast<double>(now.step) / kWhole;
      const auto [next, error, last] = dormand_prince_step(f, p, h, z, slope);
      const Tensor relative = error / (atol + rtol * at::maximum(z.abs(), next.abs()));
      const Tensor errors = relative.flatten(1).square().mean(1).sqrt().to(at::kCPU, at::kDouble);
      Tensor taken = at::zeros({x.size(0), 1, 1, 1}, at::kBool);
      for (std::int64_t i = 0; i < x.size(0); ++i) {
        Clock& clock = clocks[static_cast<std::size_t>(i)];
        if (clock != now) continue;
        clock = advanced(clock, errors[i].item<double>());
        taken[i] = clock.at > now.at;
      }
      const Tensor rows = taken.to(x.device());
      z = at::where(rows, next, z), slope = at::where(rows, last, slope);
    }
    return finish(D, path, path.scale(grid.t.back()) * z, grid.t.back(), final);
  };
}

}  // namespace edmund::samplers
