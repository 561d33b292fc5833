// shifted_cosine — cosine schedule with more noise for larger images (Hoogeboom et al. 2023,
// "simple diffusion", section 3.1): log SNR(t) = -2 ln tan(πt/2) + 2 ln(64/d) at d pixels a side.
//
//   σ(t) = shift·tan(πt/2),  s(t) = 1/√(1 + σ²),  t in [t_min, t_max]
//
//   shift  4          d/64, as for images of 256 pixels a side; 1 is `cosine`
//   t_min  1e-3       smallest time, > 0
//   t_max  1 - 1e-3   largest time, < 1
#include "edmund/schedules/noise_schedule.h"

#include <cmath>
#include <numbers>

namespace edmund::schedules {
namespace {

constexpr double kQuarter = std::numbers::pi / 2;

class ShiftedCosineSchedule : public NoiseSchedule {
 public:
  ShiftedCosineSchedule(Interval times, double shift)
      : NoiseSchedule({.times = times, .reach = 0.5 * (times.high + 1), .clean_time = 0.0}), shift_(shift) {}

 private:
  double s(double t) const override { return 1 / std::hypot(1.0, sigma_of(t)); }
  double sigma_of(double t) const override { return shift_ * std::tan(kQuarter * t); }
  double s_dot(double t) const override { return -sigma_of(t) * sigma_dot(t) * std::pow(s(t), 3); }
  double sigma_dot(double t) const override { return shift_ * kQuarter / std::pow(std::cos(kQuarter * t), 2); }
  double time_of(double sigma) const override { return std::atan(sigma / shift_) / kQuarter; }

  double shift_;
};

}  // namespace

std::unique_ptr<NoiseSchedule> make_shifted_cosine(Options& options) {
  const double shift = options.real("shift", 4.0, between(1e-3, 1e3),
                                    "factor on the σ of `cosine`: side of the images in pixels over 64"),
               low = options.real("t_min", 1e-3, between(1e-9, 0.5), "smallest time"),
               high = options.real("t_max", 1 - 1e-3, between(0.5 + 1e-9, 1 - 1e-9), "largest time");
  return std::make_unique<ShiftedCosineSchedule>(Interval{low, high}, shift);
}

}  // namespace edmund::schedules
