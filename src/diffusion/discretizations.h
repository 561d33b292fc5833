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

/// `usual`: range by default, before it is cut.
GridRange grid_range(Options& options, const NoiseSchedule& path, Interval network_sigmas, Interval usual);

/// Times of σ(fraction), fraction = 0, 1/(N-1), … 1.
std::vector<double> times(const NoiseSchedule& path, const GridRange& range,
                          const std::function<double(double fraction)>& sigma);

GridFactory make_edm_vp, make_edm_ve, make_edm_iddpm;  // discretizations.cpp
GridFactory make_file;                                 // grid_file.cpp

}  // namespace edmund::grids
