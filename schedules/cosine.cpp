// cosine — trigonometric path (Nichol & Dhariwal 2021, eq. 17, without its offset of 0.008).
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
  explicit CosineSchedule(Interval times) : times_(times) {}

  Interval times() const override { return times_; }
  Interval domain() const override { return {times_.low, 0.5 * (times_.high + 1)}; }
  double scale(double t) const override { return std::cos(kQuarter * inside(t)); }
  double sigma(double t) const override { return std::tan(kQuarter * inside(t)); }
  double scale_rate(double t) const override { return -kQuarter * std::sin(kQuarter * inside(t)); }
  double sigma_rate(double t) const override {
    const double sigma = this->sigma(t);
    return kQuarter * (1 + sigma * sigma);
  }
  double time(double sigma) const override { return inside(std::atan(sigma) / kQuarter); }
  std::optional<double> clean_time() const override { return 0.0; }

 private:
  Interval times_;
};

}  // namespace

std::unique_ptr<NoiseSchedule> make_cosine(Options& options) {
  const double low = options.real("t_min", 1e-3, between(1e-9, 0.5));
  return std::make_unique<CosineSchedule>(
      Interval{low, options.real("t_max", 1 - 1e-3, between(0.5 + 1e-9, 1 - 1e-9))});
}

}  // namespace edmund::schedules
