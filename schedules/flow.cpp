// flow — straight lines from data to noise: rectified flow (Liu et al. 2023), conditional optimal transport (Lipman et
// al. 2023).
//
//   s(t) = 1 - t,  σ(t) = t/(1 - t),  t in [t_min, t_max]
//   x_t = (1-t) x0 + t ε: t = 1 is noise (the papers run the other way). The probability-flow ODE is dx/dt = (x - D)/t,
//   the mean of the velocity ε - x0. Grids span σ in [0.002, 80] as on `edm`.
//
//   t_min  1e-3       smallest time, > 0
//   t_max  1 - 1e-3   largest time, < 1
#include "edmund/schedules/noise_schedule.h"

#include <algorithm>

namespace edmund::schedules {
namespace {

class FlowSchedule : public NoiseSchedule {
 public:
  explicit FlowSchedule(Interval times) : times_(times) {}

  Interval times() const override { return times_; }
  Interval domain() const override { return {times_.low, 0.5 * (times_.high + 1)}; }
  double scale(double t) const override { return 1 - inside(t); }
  double sigma(double t) const override { return inside(t) / (1 - inside(t)); }
  double scale_rate(double t) const override { return inside(t), -1.0; }
  double sigma_rate(double t) const override {
    const double s = scale(t);
    return 1 / (s * s);
  }
  double time(double sigma) const override { return inside(sigma / (1 + sigma)); }
  std::optional<double> clean_time() const override { return 0.0; }
  Interval sampling_sigmas() const override { return {std::max(0.002, sigmas().low), std::min(80.0, sigmas().high)}; }

 private:
  Interval times_;
};

}  // namespace

std::unique_ptr<NoiseSchedule> make_flow(Options& options) {
  const double low = options.real("t_min", 1e-3, between(1e-9, 0.5));
  return std::make_unique<FlowSchedule>(Interval{low, options.real("t_max", 1 - 1e-3, between(0.5 + 1e-9, 1 - 1e-9))});
}

}  // namespace edmund::schedules
