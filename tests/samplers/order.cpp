// Order of convergence on Gaussian data, where the solution of the ODE is known.
#include "edmund/samplers/sampler.h"
#include "samplers/gaussian.h"
#include "samplers/noise.h"
#include "support/catch.h"

#include <ATen/ops/full.h>

namespace edmund::testing {
using Catch::Matchers::WithinAbs;

namespace {

// Error in z of `sampler` on the grid; the start is 1.3 standard deviations from the mean.
double error(const Gaussian& data, const Sampler& sampler, const NoiseSchedule& path, const TimeGrid& grid) {
  const double t = grid.t.front(), u = grid.t.back(), sigma = path.sigma(t);
  const double start = data.mean + 1.3 * std::sqrt(data.variance(sigma));
  NoNoise noise;
  const Tensor x =
      sampler(data.denoiser(), path, grid, at::full({1, 1, 1, 1}, path.scale(t) * start, at::kDouble), noise);
  return std::abs(x.item<double>() / path.scale(u) - data.transported(start, sigma, path.sigma(u)));
}

// log2 of how much the error falls when the steps are doubled.
double order(const Sampler& sampler, const NoiseSchedule& path) {
  if (path.levels().empty()) {
    return std::log2(error({}, sampler, path, smooth_grid(path, 256)) /
                     error({}, sampler, path, smooth_grid(path, 512)));
  }
  // The slope of a table jumps at its entries: the order is that inside one interval. Data as wide as the noise there, so that the
  // trajectory bends.
  const auto inside = [](int N) {
    TimeGrid grid;
    for (int i = 0; i <= N; ++i) grid.t.push_back(2.0 - static_cast<double>(i) / N);
    grid.t.back() += 1e-9;  // the entry itself has the slope of the interval below it
    return grid;
  };
  const Gaussian data{.std = path.sigma(1.5)};
  return std::log2(error(data, sampler, path, inside(16)) / error(data, sampler, path, inside(32)));
}

}  // namespace

TEST_CASE("euler converges at order 1 and heun at order 2 on every schedule", "[samplers]") {
  for (const auto& yaml : schedule_cases()) {
    const auto path = schedule(yaml);
    for (const auto& [sampler, expected] :
         {std::pair{"{type: euler, final: none}", 1.0}, std::pair{"{type: ddim, final: none}", 1.0},
          std::pair{"{type: reverse_sde, lambda: 0, final: none}", 1.0}, std::pair{"{type: heun, final: none}", 2.0},
          std::pair{"{type: heun, alpha: 0.5, final: none}", 2.0},
          std::pair{"{type: heun, alpha: 0.6666666666666666, final: none}", 2.0}}) {
      INFO(sampler << " on " << yaml);
      CHECK_THAT(order(made(make_sampler, sampler), *path), WithinAbs(expected, 0.1));
    }
  }
}

}  // namespace edmund::testing
