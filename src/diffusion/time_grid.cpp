#include "edmund/diffusion/time_grid.h"

#include "edmund/core/log.h"

namespace edmund {

std::vector<std::pair<double, double>> steps(const TimeGrid& grid) {
  std::vector<std::pair<double, double>> out;
  for (std::size_t i = 0; i + 1 < grid.t.size(); ++i) out.emplace_back(grid.t[i], grid.t[i + 1]);
  return out;
}

TimeGrid make_grid(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const std::vector<double> wanted =
      chosen(grid_table(), options, "karras", "spacing of the noise levels").make(options, schedule, network_sigmas);
  TimeGrid grid;
  for (double t : wanted) {
    t = schedule.snap(t);
    if (grid.t.empty() || t < grid.t.back()) grid.t.push_back(t);
  }
  if (grid.t.empty()) grid.t = {schedule.times().high};
  if (grid.t.size() < wanted.size())
    log::warn("{}: {} of the {} times fall together", options.where(), wanted.size() - grid.t.size(), wanted.size());
  return grid;
}

}  // namespace edmund
