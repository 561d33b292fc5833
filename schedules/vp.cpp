// vp — variance-preserving SDE with linear β (Song et al. 2021, eq. 11; Karras et al. 2022,
// table 1, "VP").
//
//   s(t) = exp(-B/2),  σ(t) = √(exp(B) - 1),  B(t) = ∫₀ᵗ β = β_min t + (β_max - β_min) t²/2
//   t in [t_min, 1];  g² = β(t)
//
//   beta_min   0.1    noise rate at t = 0
//   beta_max   20     noise rate at t = 1
//   t_min      1e-3   smallest time, > 0 (training of Song et al.: 1e-5)
//   sigma_min, sigma_max   instead of the two rates, which are solved so that σ(t_min) and σ(1) are
//                          these (Karras et al. 2022, code of the ablation; β may be negative below
//                          t_min, outside the schedule)
#include "edmund/schedules/linear_beta.h"
#include "edmund/schedules/noise_schedule.h"

#include <cmath>

namespace edmund::schedules {
namespace {

class VpSchedule : public NoiseSchedule {
 public:
  VpSchedule(LinearBeta beta, double t_min)
      : NoiseSchedule({.times = {t_min, 1.0}, .reach = beta.rate(2.0) > 0 ? 2.0 : 1.0, .clean_time = 0.0}),
        beta_(beta) {}

 private:
  double s(double t) const override { return std::exp(-0.5 * beta_.integral(t)); }
  double sigma_of(double t) const override { return beta_.vp_sigma(t); }
  double s_dot(double t) const override { return -0.5 * beta_.rate(t) * s(t); }
  double sigma_dot(double t) const override {
    const double sigma = sigma_of(t);
    return 0.5 * beta_.rate(t) * (sigma + 1 / sigma);
  }
  double time_of(double sigma) const override { return beta_.time(std::log1p(sigma * sigma)); }

  LinearBeta beta_;
};

LinearBeta solved(Options& options, Interval sigmas, double t_min) {
  options.check(sigmas.low > 0, "sigma_min", "missing; it goes with sigma_max");
  options.check(sigmas.high > 0, "sigma_max", "missing; it goes with sigma_min");
  if (!(sigmas.low > 0 && sigmas.high > 0)) return {};
  const auto beta = LinearBeta::of_vp(sigmas, t_min);
  options.check(beta.has_value(), "sigma_max",
                "no linear β > 0 leads from sigma_min = {} at t_min = {} to sigma_max = {} at t = 1", sigmas.low, t_min,
                sigmas.high);
  return beta.value_or(LinearBeta{});
}

}  // namespace

std::unique_ptr<NoiseSchedule> make_vp(Options& options) {
  const double t_min = options.real("t_min", 1e-3, between(1e-9, 0.5), "smallest time");
  // 0: not given
  const Interval sigmas{
      options.real("sigma_min", 0, between(1e-8, 1e6), "σ at t_min; with sigma_max, in place of the two β"),
      options.real("sigma_max", 0, between(1e-8, 1e6), "σ at t = 1; with sigma_min, in place of the two β")};
  if (options.has("sigma_min") || options.has("sigma_max"))
    return std::make_unique<VpSchedule>(solved(options, sigmas, t_min), t_min);
  return std::make_unique<VpSchedule>(LinearBeta::read(options), t_min);
}

}  // namespace edmund::schedules
