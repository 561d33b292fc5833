#include "edmund/core/error.h"
#include "edmund/schedules/nearest_level.h"
#include "edmund/schedules/wrapped_schedule.h"

#include <utility>

namespace edmund {
namespace {

Clock with_levels(Clock clock, std::vector<double> levels) {
  clock.levels = std::move(levels);
  clock.levels_only = true;
  return clock;
}

class Snapped : public WrappedSchedule {
 public:
  Snapped(std::shared_ptr<const NoiseSchedule> schedule, std::vector<double> levels)
      : WrappedSchedule(schedule, with_levels(schedule->clock(), std::move(levels))) {}

 private:
  double time_of(double sigma) const override { return inner().time(nearest_level(levels(), sigma)); }
};

}  // namespace

std::unique_ptr<NoiseSchedule> snapped(std::unique_ptr<NoiseSchedule> schedule, std::vector<double> levels) {
  const double low = schedule->sigma(schedule->domain().low), high = schedule->sigma(schedule->domain().high);
  // an end's level may come back from its time a rounding off
  constexpr double kRounding = 1e-12;
  std::erase_if(levels, [&](double level) { return level < low * (1 - kRounding) || level > high * (1 + kRounding); });
  require(!levels.empty(), "schedule: none of the noise levels that the network knows lies in [{}, {}]", low, high);
  return std::make_unique<Snapped>(std::move(schedule), std::move(levels));
}

}  // namespace edmund
