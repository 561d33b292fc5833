// sub_vp — sub-VP SDE with linear β (Song et al. 2021, eq. 12). It fits the form s(x0 + σε) exactly: its mean
// coefficient exp(-B/2) and standard deviation 1 - exp(-B) are s and s·σ of
//
//   s(t) = exp(-B/2),  σ(t) = 2 sinh(B/2),  B(t) = β_min t + (β_max - β_min) t²/2,  t in [t_min, 1]
//   g² = β (1 - exp(-2B))
//
//   beta_min  0.1    noise rate at t = 0
//   beta_max  20     noise rate at t = 1
//   t_min     1e-3   smallest time, > 0
#include "edmund/schedules/noise_schedule.h"
#include "linear_beta.h"

#include <cmath>

namespace edmund::schedules {
namespace {

class SubVpSchedule : public NoiseSchedule {
 public:
  SubVpSchedule(LinearBeta beta, double t_min) : beta_(beta), t_min_(t_min) {}

  Interval times() const override { return {t_min_, 1.0}; }
  Interval domain() const override { return {t_min_, beta_.rate(2.0) > 0 ? 2.0 : 1.0}; }
  double scale(double t) const override { return std::exp(-0.5 * beta_.integral(inside(t))); }
  double sigma(double t) const override { return 2 * std::sinh(0.5 * beta_.integral(inside(t))); }
  double scale_rate(double t) const override { return -0.5 * beta_.rate(t) * scale(t); }
  double sigma_rate(double t) const override { return beta_.rate(t) * std::cosh(0.5 * beta_.integral(inside(t))); }
  double time(double sigma) const override { return inside(beta_.time(2 * std::asinh(0.5 * sigma))); }
  std::optional<double> clean_time() const override { return 0.0; }

 private:
  LinearBeta beta_;
  double t_min_;
};

}  // namespace

std::unique_ptr<NoiseSchedule> make_sub_vp(Options& options) {
  const double t_min = options.real("t_min", 1e-3, between(1e-9, 0.5));
  const double low = options.real("beta_min", 0.1, between(0, 300));
  const double high = options.real("beta_max", 20.0, {.low = 0, .high = 300, .open_low = true});
  return std::make_unique<SubVpSchedule>(LinearBeta{low, high - low}, t_min);
}

}  // namespace edmund::schedules
