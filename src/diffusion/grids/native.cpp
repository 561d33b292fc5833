// native — entries of a table of N levels, counted from 1, as the discrete samplers choose them.
//
//   spacing  leading    k⌊N/steps⌋ + 1 + offset, k = steps-1 … 0 (Ho et al. 2020; DDIM's where
//                       steps divides N)
//            linspace   evenly from N to 1, rounded half to even
//            trailing   N - k·N/steps, k = 0 … steps-1, rounded half to even (Lin et al. 2024)
//            quadratic  ⌊(√(0.8 N) k/(steps-1))²⌋ + 1, k = steps-1 … 0 (DDIM's on CIFAR-10)
//   offset   0          of `leading`
#include "edmund/diffusion/time_grid.h"
#include "range.h"

#include <algorithm>
#include <cmath>

namespace edmund::grids {
namespace {

// The k-th of `steps` entries of a table of N, from the lowest (k = 0) to the highest.
double entry(std::string_view spacing, std::int64_t k, std::int64_t steps, std::int64_t N, std::int64_t offset) {
  const double all = static_cast<double>(N), n = static_cast<double>(k),
               gaps = std::max(static_cast<double>(steps - 1), 1.0);
  if (spacing == "linspace") return steps == 1 ? all : std::nearbyint(n * ((all - 1) / gaps)) + 1;
  if (spacing == "trailing")
    return std::nearbyint(all - static_cast<double>(steps - 1 - k) * (all / static_cast<double>(steps)));
  if (spacing == "quadratic") return std::floor(std::pow(n * (std::sqrt(0.8 * all) / gaps), 2)) + 1;
  return static_cast<double>(k * (N / steps) + 1 + offset);
}

}  // namespace

std::vector<double> make_native(Options& options, const NoiseSchedule& schedule, Interval) {
  const std::vector<double>& levels = schedule.levels();
  const std::string spacing = options.choice("spacing", "leading", {"leading", "linspace", "trailing", "quadratic"},
                                             "how entries of the table are chosen");
  const auto N = std::max<std::int64_t>(std::ssize(levels), 1);
  std::int64_t steps = grid_steps(options),
               offset = options.integer("offset", 0, at_least(0), "of `leading`, in entries");
  if (levels.empty()) {
    options.reject("type", "native chooses entries of a table; this schedule has none (ddpm has)");
    return {schedule.times().high};
  }
  options.check(steps <= N, "steps", "must be at most the {} entries of the table, found {}", N, steps);
  steps = std::min(steps, N);
  const std::int64_t most = N - 1 - (steps - 1) * (N / steps);
  if (spacing == "leading" && offset > most) {
    options.reject("offset",
                   format("must be at most {} with {} steps of {} entries, found {}", most, steps, N, offset));
    offset = 0;
  }
  std::vector<double> t;
  for (std::int64_t k = steps - 1; k >= 0; --k)
    t.push_back(schedule.time(levels[static_cast<std::size_t>(entry(spacing, k, steps, N, offset)) - 1]));
  return t;
}

}  // namespace edmund::grids
