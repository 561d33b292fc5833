// ve — variance-exploding SDE, no scaling, on one of two clocks with the same range of σ.
//
//   geometric  σ(t) = σ_min (σ_max/σ_min)^t,  t in [0, 1]    (Song et al. 2021, eq. 9; no clean time: σ(0) = σ_min)
//   sqrt       σ(t) = √t,  t in [σ_min², σ_max²]             (Karras et al. 2022, table 1, "VE")
//
//   clock      geometric   or sqrt
//   sigma_min  0.02        lowest noise level, > 0, for images in [-1, 1] (the paper's 0.01 is for [0, 1])
//   sigma_max  100         highest noise level (the paper's 50)
#include "edmund/schedules/noise_schedule.h"

#include <cmath>

namespace edmund::schedules {
namespace {

class GeometricVe : public NoiseSchedule {
 public:
  explicit GeometricVe(Interval sigmas) : low_(sigmas.low), log_ratio_(std::log(sigmas.high / sigmas.low)) {}

  Interval times() const override { return {0.0, 1.0}; }
  Interval domain() const override { return {0.0, 2.0}; }
  double scale(double t) const override { return inside(t), 1.0; }
  double sigma(double t) const override { return low_ * std::exp(log_ratio_ * inside(t)); }
  double scale_rate(double t) const override { return inside(t), 0.0; }
  double sigma_rate(double t) const override { return log_ratio_ * sigma(t); }
  double time(double sigma) const override { return inside(std::log(sigma / low_) / log_ratio_); }

 private:
  double low_, log_ratio_;
};

class SqrtVe : public NoiseSchedule {
 public:
  explicit SqrtVe(Interval sigmas) : times_{sigmas.low * sigmas.low, sigmas.high * sigmas.high} {}

  Interval times() const override { return times_; }
  Interval domain() const override { return {times_.low, 1e100}; }
  double scale(double t) const override { return inside(t), 1.0; }
  double sigma(double t) const override { return std::sqrt(inside(t)); }
  double scale_rate(double t) const override { return inside(t), 0.0; }
  double sigma_rate(double t) const override { return 0.5 / std::sqrt(inside(t)); }
  double time(double sigma) const override { return inside(sigma * std::abs(sigma)); }
  std::optional<double> clean_time() const override { return 0.0; }

 private:
  Interval times_;
};

}  // namespace

std::unique_ptr<NoiseSchedule> make_ve(Options& options) {
  const std::string clock = options.choice("clock", "geometric", {"geometric", "sqrt"});
  Interval sigmas{options.real("sigma_min", 0.02, between(1e-10, 1e10)),
                  options.real("sigma_max", 100.0, between(1e-10, 1e10))};
  if (sigmas.low >= sigmas.high) {
    options.reject("sigma_max", format("must be greater than sigma_min = {}, found {}", sigmas.low, sigmas.high));
    sigmas = {0.02, 100.0};
  }
  if (clock == "sqrt") return std::make_unique<SqrtVe>(sigmas);
  return std::make_unique<GeometricVe>(sigmas);
}

}  // namespace edmund::schedules
