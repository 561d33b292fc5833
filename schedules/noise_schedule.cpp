#include "edmund/schedules/noise_schedule.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace edmund {

NoiseSchedule::NoiseSchedule(Clock clock) : clock_(std::move(clock)) {
  assert(clock_.times.low < clock_.times.high && clock_.times.high <= clock_.reach);
}

double NoiseSchedule::time(double sigma) const {
  require(sigma > 0, "no time of a schedule has σ = {}", sigma);
  return inside(time_of(sigma));
}

Interval NoiseSchedule::sampling_sigmas() const {
  const Interval all = sigmas(), usual = clock_.usual_sigmas;
  return {std::max(usual.low, all.low), std::min(usual.high, all.high)};
}

double NoiseSchedule::near_end(double t) const {
  const Interval domain = this->domain();
  const double near = std::clamp(t, domain.low, domain.high);
  // The slack is rounding of t where it comes from σ or from t + h: relative to t, absolute where t
  // is 0.
  require(std::abs(t - near) <= 1e-9 * std::max(std::abs(near), 1e-3), "time {} lies outside the schedule's [{}, {}]",
          t, domain.low, domain.high);
  return near;
}

std::string example_of(const ScheduleEntry& row) {
  return row.example.empty() ? std::string(row.name) : format("{}, {}", row.name, row.example);
}

std::unique_ptr<NoiseSchedule> make_schedule(Options& options) {
  auto schedule =
      chosen(schedule_table(), options, "edm", "noise schedule: scale s(t) and noise level σ(t)").make(options);
  const std::string scale = options.choice("scale", "own", {"own", "unit", "variance_preserving"},
                                           "s(t): the schedule's own, 1, or 1/√(1 + σ²); σ(t) stays");
  return scaled(std::move(schedule), scale == "unit"  ? Scale::kUnit
                                     : scale == "own" ? Scale::kOwn
                                                      : Scale::kVariancePreserving);
}

}  // namespace edmund
