// vp — variance-preserving SDE with linear β (Song et al. 2021, eq. 11; Karras et al. 2022, table 1, "VP").
//
//   s(t) = exp(-B/2),  σ(t) = √(exp(B) - 1),  B(t) = β_min t + (β_max - β_min) t²/2,  t in [t_min, 1];  g² = β(t)
//
//   beta_min   0.1    noise rate at t = 0
//   beta_max   20     noise rate at t = 1
//   t_min      1e-3   smallest time, > 0 (training of Song et al.: 1e-5)
//   sigma_min, sigma_max   instead of the two rates, which are solved so that σ(t_min) and σ(1) are these
//                          (Karras et al. 2022, code of the ablation; β may be negative below t_min, outside the schedule)
#include "edmund/schedules/noise_schedule.h"
#include "linear_beta.h"

#include <algorithm>
#include <cmath>

namespace edmund::schedules {
namespace {

class VpSchedule : public NoiseSchedule {
 public:
  VpSchedule(LinearBeta beta, double t_min) : beta_(beta), t_min_(t_min) {}

  Interval times() const override { return {t_min_, 1.0}; }
  Interval domain() const override { return {t_min_, beta_.rate(2.0) > 0 ? 2.0 : 1.0}; }
  double scale(double t) const override { return std::exp(-0.5 * beta_.integral(inside(t))); }
  double sigma(double t) const override { return std::sqrt(std::expm1(beta_.integral(inside(t)))); }
  double scale_rate(double t) const override { return -0.5 * beta_.rate(t) * scale(t); }
  double sigma_rate(double t) const override {
    const double sigma = this->sigma(t);
    return 0.5 * beta_.rate(t) * (sigma + 1 / sigma);
  }
  double time(double sigma) const override { return inside(beta_.time(std::log1p(sigma * std::abs(sigma)))); }
  std::optional<double> clean_time() const override { return 0.0; }

 private:
  LinearBeta beta_;
  double t_min_;
};

// B(t_min) = ln(σ_min² + 1) and B(1) = ln(σ_max² + 1) for the two coefficients of β.
LinearBeta solved(Options& options, double t_min) {
  const double low = options.required_real("sigma_min", between(1e-8, 1e6));
  const double high = options.required_real("sigma_max", between(1e-8, 1e6));
  const double first = std::log1p(low * low), last = std::log1p(high * high);
  const double slope = 2 * (first / t_min - last) / (t_min - 1);
  const LinearBeta beta{last - 0.5 * slope, slope};
  if (low < high && beta.rate(t_min) > 0 && beta.rate(1.0) > 0) return beta;
  options.reject(
      "sigma_max",
      format("no linear β > 0 leads from sigma_min = {} at t_min = {} to sigma_max = {} at t = 1", low, t_min, high));
  return {};
}

}  // namespace

std::unique_ptr<NoiseSchedule> make_vp(Options& options) {
  const double t_min = options.real("t_min", 1e-3, between(1e-9, 0.5));
  if (options.has("sigma_min") || options.has("sigma_max"))
    return std::make_unique<VpSchedule>(solved(options, t_min), t_min);
  const double low = options.real("beta_min", 0.1, between(0, 300));
  const double high = options.real("beta_max", 20.0, {.low = 0, .high = 300, .open_low = true});
  return std::make_unique<VpSchedule>(LinearBeta{low, high - low}, t_min);
}

}  // namespace edmund::schedules
