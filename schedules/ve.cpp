// ve — variance-exploding SDE, no scaling, on one of two clocks with the same range of σ.
//
//   geometric  σ(t) = σ_min (σ_max/σ_min)^t,  t in [0, 1] (Song et al. 2021, eq. 9; no clean time:
//                                             σ(0) = σ_min)
//   sqrt       σ(t) = √t,  t in [σ_min², σ_max²]             (Karras et al. 2022, table 1, "VE")
//
//   clock      geometric   or sqrt
//   sigma_min  0.02        lowest noise level, > 0, for images in [-1, 1] (the paper's 0.01 is for
//                          [0, 1])
//   sigma_max  100         highest noise level (the paper's 50)
#include "edmund/schedules/noise_schedule.h"

#include <cmath>

namespace edmund::schedules {
namespace {

class GeometricVe : public NoiseSchedule {
 public:
  explicit GeometricVe(Interval sigmas)
      : NoiseSchedule({.times = {0.0, 1.0}, .reach = 2.0}),
        low_(sigmas.low),
        log_ratio_(std::log(sigmas.high / sigmas.low)) {}

 private:
  double s(double) const override { return 1.0; }
  double sigma_of(double t) const override { return low_ * std::exp(log_ratio_ * t); }
  double s_dot(double) const override { return 0.0; }
  double sigma_dot(double t) const override { return log_ratio_ * sigma_of(t); }
  double time_of(double sigma) const override { return std::log(sigma / low_) / log_ratio_; }

  double low_, log_ratio_;
};

class SqrtVe : public NoiseSchedule {
 public:
  explicit SqrtVe(Interval sigmas)
      : NoiseSchedule(
            {.times = {sigmas.low * sigmas.low, sigmas.high * sigmas.high}, .reach = 1e100, .clean_time = 0.0}) {}

 private:
  double s(double) const override { return 1.0; }
  double sigma_of(double t) const override { return std::sqrt(t); }
  double s_dot(double) const override { return 0.0; }
  double sigma_dot(double t) const override { return 0.5 / std::sqrt(t); }
  double time_of(double sigma) const override { return sigma * sigma; }
};

}  // namespace

std::unique_ptr<NoiseSchedule> make_ve(Options& options) {
  const std::string clock = options.choice("clock", "geometric", {"geometric", "sqrt"}, "σ geometric in t, or √t");
  Interval sigmas{options.real("sigma_min", 0.02, between(1e-10, 1e10), "lowest noise level, for images in [-1, 1]"),
                  options.real("sigma_max", 100.0, between(1e-10, 1e10), "highest noise level")};
  if (sigmas.low >= sigmas.high) {
    options.reject("sigma_max", format("must be greater than sigma_min = {}, found {}", sigmas.low, sigmas.high));
    sigmas = {0.02, 100.0};
  }
  if (clock == "sqrt") return std::make_unique<SqrtVe>(sigmas);
  return std::make_unique<GeometricVe>(sigmas);
}

}  // namespace edmund::schedules
