// edm — noise level as time, no scaling: straight trajectories (Karras et al. 2022, table 1,
// "ours").
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
  explicit EdmSchedule(Interval times) : NoiseSchedule({.times = times, .reach = 1e100, .clean_time = 0.0}) {}

 private:
  double s(double) const override { return 1.0; }
  double sigma_of(double t) const override { return t; }
  double s_dot(double) const override { return 0.0; }
  double sigma_dot(double) const override { return 1.0; }
  double time_of(double sigma) const override { return sigma; }
};

}  // namespace

std::unique_ptr<NoiseSchedule> make_edm(Options& options) {
  Interval times{options.real("sigma_min", 0.002, between(1e-10, 1e10), "lowest noise level"),
                 options.real("sigma_max", 80.0, between(1e-10, 1e10), "highest noise level")};
  if (times.low >= times.high) {
    options.reject("sigma_max", format("must be greater than sigma_min = {}, found {}", times.low, times.high));
    times = {0.002, 80.0};
  }
  return std::make_unique<EdmSchedule>(times);
}

}  // namespace edmund::schedules
