#include "range.h"

#include <algorithm>

namespace edmund::grids {

std::int64_t grid_steps(Options& options) {
  options.take_over("steps");
  return options.integer("steps", 18, between(1, 1e6), "grid points: noise levels that the sampler visits");
}

GridRange grid_range(Options& options, const NoiseSchedule& schedule, Interval network_sigmas, Interval usual) {
  const Interval own = schedule.sigmas();
  const Interval reach{std::max(own.low, network_sigmas.low), std::min(own.high, network_sigmas.high)};
  // A range that was solved from these very numbers misses them by rounding.
  const Range allowed{.low = own.low, .high = own.high, .rounding = 1e-9};
  GridRange range{.steps = grid_steps(options)};
  range.low = std::max(
      options.real("sigma_min", std::max(usual.low, reach.low), allowed, "lowest noise level of the grid"), reach.low);
  range.high = std::min(options.real("sigma_max", std::min(usual.high, reach.high), allowed,
                                     "highest noise level of the grid, where sampling starts"),
                        reach.high);
  if (range.low < range.high || (range.low == range.high && range.steps == 1)) return range;
  options.reject("", format("no noise levels from {} to {}: the schedule spans [{}, {}], the network [{}, {}]",
                            range.low, range.high, own.low, own.high, network_sigmas.low, network_sigmas.high));
  return {range.steps, own.low, own.high};
}

std::vector<double> evenly(std::int64_t N, const std::function<double(double)>& f) {
  std::vector<double> out;
  for (std::int64_t i = 0; i < N; ++i)
    out.push_back(f(N == 1 ? 0.0 : static_cast<double>(i) / static_cast<double>(N - 1)));
  return out;
}

std::vector<double> times(const NoiseSchedule& schedule, const GridRange& range,
                          const std::function<double(double)>& sigma) {
  // Rounding must not carry a σ past the ends, where the schedule may stop.
  return evenly(range.steps, [&](double f) { return schedule.time(std::clamp(sigma(f), range.low, range.high)); });
}

}  // namespace edmund::grids
