#pragma once

#include "edmund/diffusion/time_grid.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace edmund::grids {

/// What `steps`, `sigma_min` and `sigma_max` say, cut to what the schedule and the network reach.
struct GridRange {
  std::int64_t steps = 18;
  double low = 0.0, high = 0.0;
};

/// How many points: what was chosen, for a grid of another type too.
std::int64_t grid_steps(Options& options);

/// `usual`: range by default, before it is cut.
GridRange grid_range(Options& options, const NoiseSchedule& schedule, Interval network_sigmas, Interval usual);

/// f(fraction) for fraction = 0, 1/(N-1), … 1.
std::vector<double> evenly(std::int64_t N, const std::function<double(double fraction)>& f);

/// Times of σ(fraction), fraction = 0, 1/(N-1), … 1.
std::vector<double> times(const NoiseSchedule& schedule, const GridRange& range,
                          const std::function<double(double fraction)>& sigma);

}  // namespace edmund::grids
