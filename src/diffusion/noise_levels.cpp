#include "edmund/diffusion/noise_levels.h"

#include "edmund/core/error.h"
#include "edmund/schedules/noise_schedule.h"

#include <cassert>
#include <cmath>
#include <memory>
#include <utility>

namespace edmund {
namespace {

// lognormal: ln σ ~ N(mean, std²) (Karras et al. 2022, table 1).
NoiseLevels make_lognormal(Options& options) {
  const double mean = options.real("mean", -1.2, between(-20, 20), "mean of ln σ"),
               std = options.real("std", 1.2, between(1e-6, 10), "standard deviation of ln σ");
  return [=](double u) { return std::exp(mean + std * normal_quantile(u)); };
}

// log_uniform: ln σ uniform on [sigma_min, sigma_max]; the defaults are the VE loss of Karras et
// al. 2022.
NoiseLevels make_log_uniform(Options& options) {
  double low = options.real("sigma_min", 0.02, between(1e-10, 1e10), "lowest noise level"),
         high = options.real("sigma_max", 100.0, between(1e-10, 1e10), "highest noise level");
  if (low >= high) {
    options.reject("sigma_max", format("must be greater than sigma_min = {}, found {}", low, high));
    low = 0.02, high = 100.0;
  }
  return [low, ratio = std::log(high / low)](double u) { return low * std::exp(ratio * u); };
}

// schedule: t uniform on [t_min, t_max] of the child `schedule` (default: all of it). vp with its
// t_min at 1e-5 is the loss of Song et al. 2021.
NoiseLevels make_scheduled(Options& options) {
  Options child = options.child("schedule", "schedule whose times are drawn from");
  const std::shared_ptr<const NoiseSchedule> schedule = make_schedule(child);
  const Interval all = schedule->times();
  Interval times{options.real("t_min", all.low, between(all.low, all.high), "smallest time that is drawn"),
                 options.real("t_max", all.high, between(all.low, all.high), "largest time that is drawn")};
  if (times.low >= times.high) {
    options.reject("t_max", format("must be greater than t_min = {}, found {}", times.low, times.high));
    times = all;
  }
  return [=](double u) { return schedule->sigma(std::lerp(times.low, times.high, u)); };
}

// logit_normal: flow time t with logit(t) ~ N(mean, std²) (Esser et al. 2024, eq. 19).
// σ = t/(1 - t) = exp(logit(t)), so this is `lognormal` in the variable of flow models.
NoiseLevels make_logit_normal(Options& options) {
  const double mean = options.real("mean", 0.0, between(-20, 20), "mean of logit(t), which is ln σ"),
               std = options.real("std", 1.0, between(1e-6, 10), "standard deviation of logit(t)");
  return [=](double u) {
    const double logit = mean + std * normal_quantile(u);
    const double t = 1 / (1 + std::exp(-logit)), rest = 1 / (1 + std::exp(logit));
    return t / rest;
  };
}

constexpr Entry<NoiseLevelsFactory> kNoiseLevels[] = {
    {"lognormal", "ln σ normal (mean, std)", "Karras et al. 2022, table 1", make_lognormal},
    {"log_uniform", "ln σ uniform on [sigma_min, sigma_max]", "Song et al. 2021; Karras et al. 2022", make_log_uniform},
    {"schedule", "t uniform on the times of `schedule`", "Ho et al. 2020; Song et al. 2021", make_scheduled},
    {"logit_normal", "logit of the flow time normal (mean, std)", "Esser et al. 2024, eq. 19", make_logit_normal},
};

// (((c[n-1]·r + c[n-2])·r + …)·r + c[0].
template <std::size_t n>
double polynomial(const double (&c)[n], double r) {
  double sum = 0.0;
  for (std::size_t i = n; i-- > 0;) sum = sum * r + c[i];
  return sum;
}

}  // namespace

std::span<const Entry<NoiseLevelsFactory>> noise_levels_table() { return kNoiseLevels; }

NoiseLevels make_noise_levels(Options& options) {
  return chosen(noise_levels_table(), options, "lognormal", "distribution of σ in training").make(options);
}

double normal_quantile(double u) {
  assert(u > 0.0 && u < 1.0);
  constexpr double a[] = {3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                          1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                          3.3430575583588128105e+4, 2.5090809287301226727e+3};
  constexpr double b[] = {1.0,
                          4.2313330701600911252e+1,
                          6.8718700749205790830e+2,
                          5.3941960214247511077e+3,
                          2.1213794301586595867e+4,
                          3.9307895800092710610e+4,
                          2.8729085735721942674e+4,
                          5.2264952788528545610e+3};
  constexpr double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                          3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                          2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr double d[] = {1.0,
                          2.05319162663775882187e0,
                          1.67638483018380384940e0,
                          6.89767334985100004550e-1,
                          1.48103976427480074590e-1,
                          1.51986665636164571966e-2,
                          5.47593808499534494600e-4,
                          1.05075007164441684324e-9};
  constexpr double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                          2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                          2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr double f[] = {1.0,
                          5.99832206555887937690e-1,
                          1.36929880922735805310e-1,
                          1.48753612908506148525e-2,
                          7.86869131145613259100e-4,
                          1.84631831751005468180e-5,
                          1.42151175831644588870e-7,
                          2.04426310338993978564e-15};
  const double q = u - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(a, r) / polynomial(b, r);
  }
  const double r = std::sqrt(-std::log(q < 0 ? u : 1 - u));
  const double x =
      r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6) : polynomial(e, r - 5) / polynomial(f, r - 5);
  return std::copysign(x, q);
}

double stratified(std::int64_t position, std::int64_t batch, double v) {
  return (static_cast<double>(position % batch) + v) / static_cast<double>(batch);
}

}  // namespace edmund
