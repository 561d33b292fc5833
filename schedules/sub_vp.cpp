// sub_vp — sub-VP SDE with linear β (Song et al. 2021, eq. 12). It fits the form s(x0 + σε)
// exactly: its mean coefficient exp(-B/2) and standard deviation 1 - exp(-B) are s and s·σ of
//
//   s(t) = exp(-B/2),  σ(t) = 2 sinh(B/2),  B(t) = β_min t + (β_max - β_min) t²/2,  t in [t_min, 1]
//   g² = β (1 - exp(-2B))
//
//   beta_min  0.1    noise rate at t = 0
//   beta_max  20     noise rate at t = 1
//   t_min     1e-3   smallest time, > 0
#include "edmund/schedules/linear_beta.h"
#include "edmund/schedules/noise_schedule.h"

#include <cmath>

namespace edmund::schedules {
namespace {

class SubVpSchedule : public NoiseSchedule {
 public:
  SubVpSchedule(LinearBeta beta, double t_min)
      : NoiseSchedule({.times = {t_min, 1.0}, .reach = beta.rate(2.0) > 0 ? 2.0 : 1.0, .clean_time = 0.0}),
        beta_(beta) {}

 private:
  double s(double t) const override { return std::exp(-0.5 * beta_.integral(t)); }
  double sigma_of(double t) const override { return 2 * std::sinh(0.5 * beta_.integral(t)); }
  double s_dot(double t) const override { return -0.5 * beta_.rate(t) * s(t); }
  double sigma_dot(double t) const override { return beta_.rate(t) * std::cosh(0.5 * beta_.integral(t)); }
  double time_of(double sigma) const override { return beta_.time(2 * std::asinh(0.5 * sigma)); }

  LinearBeta beta_;
};

}  // namespace

std::unique_ptr<NoiseSchedule> make_sub_vp(Options& options) {
  const double t_min = options.real("t_min", 1e-3, between(1e-9, 0.5), "smallest time");
  return std::make_unique<SubVpSchedule>(LinearBeta::read(options), t_min);
}

}  // namespace edmund::schedules
