// formula — s(t) and σ(t) as the config writes them.
//
//   s      s(t), in (0, 1] and not increasing:  s: "1 - t"
//   sigma  σ(t), above 0 and increasing:        sigma: "t / (1 - t)"
//   t      [low, high], low >= 0: where both hold
//
//   Numbers, t, pi, + - * / ^ ( ) and exp log sqrt sin cos tan atan sinh cosh tanh expm1 log1p.
//   Derivatives are those of calculus (dual numbers), the time of a σ is a root by Newton's method.
//   clean_time is 0 where the formulas give s = 1 and σ = 0 at t = 0. A formula that breaks the
//   contract at one of 600 times is refused with the time.
#include "edmund/core/error.h"
#include "edmund/schedules/noise_schedule.h"
#include "expression.h"
#include "inverse.h"

#include <cmath>
#include <numbers>
#include <optional>
#include <string>
#include <utility>

namespace edmund::schedules {
namespace {

class FormulaSchedule : public NoiseSchedule {
 public:
  FormulaSchedule(Expression s, Expression sigma, Interval times)
      : NoiseSchedule({.times = times, .clean_time = clean_time_of(s, sigma)}),
        s_(std::move(s)),
        sigma_(std::move(sigma)) {}

 private:
  double s(double t) const override { return s_.at(t).value; }
  double sigma_of(double t) const override { return sigma_.at(t).value; }
  double s_dot(double t) const override { return s_.at(t).slope; }
  double sigma_dot(double t) const override { return sigma_.at(t).slope; }
  double time_of(double sigma) const override {
    const Interval ends = times();
    // ln σ, which is nearer to a line than σ, above or below its end by the slope there.
    const auto gap = [&](double t) {
      const Dual level = sigma_.at(t);
      return std::pair(std::log(level.value / sigma), level.slope / level.value);
    };
    for (const double end : {ends.low, ends.high})
      if (const auto [value, slope] = gap(end); end == ends.low ? value >= 0 : value <= 0) return end - value / slope;
    return increasing_root(gap, ends, 0.5 * (ends.low + ends.high));
  }

  static std::optional<double> clean_time_of(const Expression& s, const Expression& sigma) {
    return s.at(0).value == 1 && sigma.at(0).value == 0 ? std::optional(0.0) : std::nullopt;
  }

  Expression s_, sigma_;
};

struct Breach {
  const char* key;
  std::string what;
};

// The first that two formulas break of a schedule's contract: both ends, and times that crowd
// towards them.
std::optional<Breach> breach(const Expression& s, const Expression& sigma, Interval times) {
  double before = 0.0;
  for (int i = 0; i <= 600; ++i) {
    const double f = 0.5 * (1 - std::cos(i * std::numbers::pi / 600)), t = std::lerp(times.low, times.high, f);
    const Dual scale = s.at(t), level = sigma.at(t);
    if (!(scale.value > 0 && scale.value <= 1))
      return Breach{"s", format("s = {} at t = {}, expected in (0, 1]", scale.value, t)};
    if (!(scale.slope <= 0 && std::isfinite(scale.slope)))
      return Breach{"s", format("ds/dt = {} at t = {}: s must not increase", scale.slope, t)};
    if (!(level.value > 0 && std::isfinite(level.value)))
      return Breach{"sigma", format("σ = {} at t = {}, expected above 0 and finite", level.value, t)};
    if (!(level.slope > 0 && std::isfinite(level.slope) && level.value > before))
      return Breach{"sigma", format("dσ/dt = {} at t = {}: σ must increase", level.slope, t)};
    before = level.value;
  }
  return std::nullopt;
}

std::optional<Expression> read_formula(Options& options, const char* key, const char* about) {
  const std::string text = options.required_text(key, about);
  try {
    if (!text.empty()) return Expression(text);
  } catch (const Error& error) {  // one mistake among those of the config
    options.reject(key, error.what());
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<NoiseSchedule> make_formula(Options& options) {
  const auto s = read_formula(options, "s", "scale of the signal, a formula in t: \"1 - t\""),
             sigma = read_formula(options, "sigma", "noise level, a formula in t: \"t / (1 - t)\"");
  options.check(options.has("t"), "t", "missing: [low, high], the times where the formulas hold");
  const auto times = options.interval("t", "[low, high] of t");
  options.check(!times || times->low >= 0, "t", "must not begin below 0, found {}", times ? times->low : 0.0);
  if (s && sigma && times && times->low >= 0) {
    const auto broken = breach(*s, *sigma, *times);
    if (!broken) return std::make_unique<FormulaSchedule>(*s, *sigma, *times);
    options.reject(broken->key, broken->what);
  }
  return std::make_unique<FormulaSchedule>(Expression("1"), Expression("t"), Interval{0.002, 80.0});
}

}  // namespace edmund::schedules
