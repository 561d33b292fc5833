// cosine — trigonometric schedule (Nichol & Dhariwal 2021, eq. 17, without its offset of 0.008).
//
//   s(t) = cos(πt/2),  σ(t) = tan(πt/2),  t in [t_min, t_max]
//
//   t_min  1e-3       smallest time, > 0
//   t_max  1 - 1e-3   largest time, < 1
#include "edmund/schedules/noise_schedule.h"

#include <cmath>
#include <numbers>

namespace edmund::schedules {
namespace {

constexpr double kQuarter = std::numbers::pi / 2;

class CosineSchedule : public NoiseSchedule {
 public:
  explicit CosineSchedule(Interval times)
      : NoiseSchedule({.times = times, .reach = 0.5 * (times.high + 1), .clean_time = 0.0}) {}

 private:
  double s(double t) const override { return std::cos(kQuarter * t); }
  double sigma_of(double t) const override { return std::tan(kQuarter * t); }
  double s_dot(double t) const override { return -kQuarter * std::sin(kQuarter * t); }
  double sigma_dot(double t) const override {
    const double sigma = sigma_of(t);
    return kQuarter * (1 + sigma * sigma);
  }
  double time_of(double sigma) const override { return std::atan(sigma) / kQuarter; }
};

}  // namespace

std::unique_ptr<NoiseSchedule> make_cosine(Options& options) {
  const double low = options.real("t_min", 1e-3, between(1e-9, 0.5), "smallest time");
  return std::make_unique<CosineSchedule>(
      Interval{low, options.real("t_max", 1 - 1e-3, between(0.5 + 1e-9, 1 - 1e-9), "largest time")});
}

}  // namespace edmund::schedules
