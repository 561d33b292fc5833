// flow — straight lines from data to noise: rectified flow (Liu et al. 2023), conditional optimal
// transport (Lipman et al. 2023).
//
//   s(t) = 1 - t,  σ(t) = t/(1 - t),  t in [t_min, t_max]
//   x_t = (1-t) x0 + t ε: t = 1 is noise (the papers run the other way). The probability-flow ODE
//   is dx/dt = (x - D)/t, the mean of the velocity ε - x0. Grids span σ in [0.002, 80] as on `edm`.
//
//   t_min  1e-3       smallest time, > 0
//   t_max  1 - 1e-3   largest time, < 1
#include "edmund/schedules/noise_schedule.h"

namespace edmund::schedules {
namespace {

class FlowSchedule : public NoiseSchedule {
 public:
  explicit FlowSchedule(Interval times)
      : NoiseSchedule(
            {.times = times, .reach = 0.5 * (times.high + 1), .clean_time = 0.0, .usual_sigmas = {0.002, 80.0}}) {}

 private:
  double s(double t) const override { return 1 - t; }
  double sigma_of(double t) const override { return t / (1 - t); }
  double s_dot(double) const override { return -1.0; }
  double sigma_dot(double t) const override { return 1 / ((1 - t) * (1 - t)); }
  double time_of(double sigma) const override { return sigma / (1 + sigma); }
};

}  // namespace

std::unique_ptr<NoiseSchedule> make_flow(Options& options) {
  const double low = options.real("t_min", 1e-3, between(1e-9, 0.5), "smallest time; 0 is data");
  return std::make_unique<FlowSchedule>(
      Interval{low, options.real("t_max", 1 - 1e-3, between(0.5 + 1e-9, 1 - 1e-9), "largest time; 1 is noise")});
}

}  // namespace edmund::schedules
