#include "edmund/schedules/wrapped_schedule.h"

#include <cmath>

namespace edmund {
namespace {

class UnitScale : public WrappedSchedule {
 public:
  using WrappedSchedule::WrappedSchedule;

 private:
  double s(double) const override { return 1.0; }
  double s_dot(double) const override { return 0.0; }
};

class VariancePreservingScale : public WrappedSchedule {
 public:
  using WrappedSchedule::WrappedSchedule;

 private:
  double s(double t) const override { return 1 / std::hypot(1.0, inner().sigma(t)); }
  double s_dot(double t) const override {
    const double s = this->s(t);
    return -inner().sigma(t) * inner().sigma_rate(t) * s * s * s;
  }
};

}  // namespace

std::unique_ptr<NoiseSchedule> scaled(std::unique_ptr<NoiseSchedule> schedule, Scale scale) {
  if (scale == Scale::kUnit) return std::make_unique<UnitScale>(std::move(schedule));
  if (scale == Scale::kVariancePreserving) return std::make_unique<VariancePreservingScale>(std::move(schedule));
  return schedule;
}

}  // namespace edmund
