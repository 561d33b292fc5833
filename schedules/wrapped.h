#pragma once

#include "edmund/schedules/noise_schedule.h"

#include <utility>

namespace edmund {

/// A schedule that answers as the one inside it does; the base of those that change one thing about it.
class Wrapped : public NoiseSchedule {
 public:
  explicit Wrapped(std::unique_ptr<NoiseSchedule> path) : path_(std::move(path)) {}

  Interval times() const override { return path_->times(); }
  Interval domain() const override { return path_->domain(); }
  double scale(double t) const override { return path_->scale(t); }
  double sigma(double t) const override { return path_->sigma(t); }
  double scale_rate(double t) const override { return path_->scale_rate(t); }
  double sigma_rate(double t) const override { return path_->sigma_rate(t); }
  double time(double sigma) const override { return path_->time(sigma); }
  double snap(double t) const override { return path_->snap(t); }
  std::optional<double> clean_time() const override { return path_->clean_time(); }
  std::vector<double> levels() const override { return path_->levels(); }
  Interval sampling_sigmas() const override { return path_->sampling_sigmas(); }

 protected:
  const NoiseSchedule& path() const { return *path_; }

 private:
  std::unique_ptr<NoiseSchedule> path_;
};

}  // namespace edmund
