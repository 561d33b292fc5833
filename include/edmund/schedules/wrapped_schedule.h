#pragma once

#include "edmund/schedules/noise_schedule.h"

#include <memory>
#include <utility>

namespace edmund {

/// A schedule with the clock and the formulas of the one inside it; the base of those that change
/// one thing about it.
class WrappedSchedule : public NoiseSchedule {
 public:
  explicit WrappedSchedule(std::shared_ptr<const NoiseSchedule> inner) : WrappedSchedule(inner, inner->clock()) {}

 protected:
  /// With another clock, whose domain lies in that of `inner`.
  WrappedSchedule(std::shared_ptr<const NoiseSchedule> inner, Clock clock)
      : NoiseSchedule(std::move(clock)), inner_(std::move(inner)) {}

  const NoiseSchedule& inner() const { return *inner_; }

 private:
  double s(double t) const override { return inner_->scale(t); }
  double sigma_of(double t) const override { return inner_->sigma(t); }
  double s_dot(double t) const override { return inner_->scale_rate(t); }
  double sigma_dot(double t) const override { return inner_->sigma_rate(t); }
  double time_of(double sigma) const override { return inner_->time(sigma); }

  std::shared_ptr<const NoiseSchedule> inner_;
};

}  // namespace edmund
