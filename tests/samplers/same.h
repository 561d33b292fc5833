#pragma once

#include "edmund/diffusion/time_grid.h"
#include "schedules/cases.h"
#include "support/catch.h"

#include <ATen/Functions.h>
#include <string>
#include <vector>

// What the tests of samplers that are the same by mathematics share.
namespace edmund::testing {

/// A denoiser that bends: two narrow peaks at ±1 in every pixel.
inline Tensor peaks(const Tensor& z, double sigma) {
  const double v = 0.01 + sigma * sigma;
  return at::tanh(z / v) + (0.01 / v) * (z - at::tanh(z / v));
}

/// Times of these σ on the schedule.
inline TimeGrid on(const NoiseSchedule& schedule, std::string_view sigmas = "[40, 18, 7, 3, 1.4, 0.6, 0.2, 0.05]") {
  return made(make_grid, "{type: explicit, sigmas: " + std::string(sigmas) + "}", schedule, Interval{0.0, 1e300});
}

/// |a - b| within `relative` of the largest |b|.
inline void check_close(const Tensor& a, const Tensor& b, double relative) {
  CHECK((a - b).abs().max().item<double>() <= relative * b.abs().max().item<double>());
}

/// Schedules that span σ from 0.05 to 40.
inline std::vector<std::string> wide_schedules() { return schedules_that_span({0.05, 40}); }

}  // namespace edmund::testing
