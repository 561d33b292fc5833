#include "edmund/core/error.h"
#include "edmund/schedules/noise_schedule.h"

#include <algorithm>
#include <cmath>

namespace edmund {
namespace schedules {

ScheduleFactory make_cosine, make_ddpm, make_edm, make_flow, make_sub_vp, make_ve, make_vp;

}  // namespace schedules
namespace {

constexpr Entry<ScheduleFactory> kSchedules[] = {
    {"edm", "σ = t, s = 1", "Karras et al. 2022, table 1", schedules::make_edm},
    {"vp", "variance-preserving SDE, linear β", "Song et al. 2021, eq. 11", schedules::make_vp},
    {"ve", "variance-exploding SDE: σ geometric in t, or √t", "Song et al. 2021, eq. 9", schedules::make_ve},
    {"sub_vp", "sub-VP SDE, linear β", "Song et al. 2021, eq. 12", schedules::make_sub_vp},
    {"cosine", "s = cos, σ = tan", "Nichol & Dhariwal 2021, eq. 17", schedules::make_cosine},
    {"flow", "straight lines, s = 1 - t", "Liu et al. 2023; Lipman et al. 2023", schedules::make_flow},
    {"ddpm", "table of N discrete betas", "Ho et al. 2020", schedules::make_ddpm},
};

}  // namespace

std::span<const Entry<ScheduleFactory>> schedule_table() { return kSchedules; }

std::unique_ptr<NoiseSchedule> make_schedule(Options& options) {
  auto path = chosen(schedule_table(), options, "edm").make(options);
  const std::string scale = options.choice("scale", "own", {"own", "unit", "variance_preserving"});
  return scaled(std::move(path), scale == "unit"  ? Scale::kUnit
                                 : scale == "own" ? Scale::kOwn
                                                  : Scale::kVariancePreserving);
}

double NoiseSchedule::inside(double t) const {
  const Interval domain = this->domain();
  if (domain.contains(t)) return t;
  const double near = std::clamp(t, domain.low, domain.high);
  // The slack is rounding of t where it comes from σ or from t + h: relative to t, absolute where t is 0.
  require(std::abs(t - near) <= 1e-9 * std::max(std::abs(near), 1e-3), "time {} lies outside the schedule's [{}, {}]",
          t, domain.low, domain.high);
  return near;
}

}  // namespace edmund
