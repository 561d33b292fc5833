// edm — noise level as time, no scaling: straight trajectories (Karras et al. 2022, table 1, "ours").
//
//   s(t) = 1,  σ(t) = t,  t in [sigma_min, sigma_max]
//
//   sigma_min  0.002   lowest noise level, > 0
//   sigma_max  80      highest noise level
#include "edmund/schedules/noise_schedule.h"

namespace edmund::schedules {
namespace {

class EdmSchedule : public NoiseSchedule {
 public:
  explicit EdmSchedule(Interval times) : times_(times) {}

  Interval times() const override { return times_; }
  Interval domain() const override { return {times_.low, 1e100}; }
  double scale(double t) const override { return inside(t), 1.0; }
  double sigma(double t) const override { return inside(t); }
  double scale_rate(double t) const override { return inside(t), 0.0; }
  double sigma_rate(double t) const override { return inside(t), 1.0; }
  double time(double sigma) const override { return inside(sigma); }
  std::optional<double> clean_time() const override { return 0.0; }

 private:
  Interval times_;
};

}  // namespace

std::unique_ptr<NoiseSchedule> make_edm(Options& options) {
  Interval times{options.real("sigma_min", 0.002, between(1e-10, 1e10)),
                 options.real("sigma_max", 80.0, between(1e-10, 1e10))};
  if (times.low >= times.high) {
    options.reject("sigma_max", format("must be greater than sigma_min = {}, found {}", times.low, times.high));
    times = {0.002, 80.0};
  }
  return std::make_unique<EdmSchedule>(times);
}

}  // namespace edmund::schedules
