// Grids that space a function of t evenly.
//
// Those of σ have one option more:
//   unit  sigma   or flow: they space t = σ/(1 + σ) of straight paths in place of σ, which programs
//                 of such models call sigma
#include "beta_quantile.h"
#include "range.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace edmund::grids {
namespace {

// Times where `spaced` of the range's ends, in the unit of the options, lies between them.
std::vector<double> times_in_unit(Options& options, const NoiseSchedule& schedule, const GridRange& range,
                                  const std::function<double(Interval ends, double fraction)>& spaced) {
  const bool flow = options.choice("unit", "sigma", {"sigma", "flow"},
                                   "what is spaced: sigma, or t = sigma/(1 + sigma) of straight paths") == "flow";
  if (!flow) return times(schedule, range, [&](double f) { return spaced({range.low, range.high}, f); });
  const Interval ends{range.low / (1 + range.low), range.high / (1 + range.high)};
  return times(schedule, range, [&](double f) {
    const double t = spaced(ends, f);
    return t < 1 ? t / (1 - t) : range.high;
  });
}

}  // namespace

// karras: σ^(1/ρ) uniform (Karras et al. 2022, eq. 5).
//   rho  7
std::vector<double> make_karras(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const double rho = options.real("rho", 7.0, between(0.1, 1000), "exponent: greater ones crowd points at low noise");
  const GridRange range = grid_range(options, schedule, network_sigmas, published_sigmas("karras"));
  return times_in_unit(options, schedule, range, [=](Interval ends, double f) {
    const double high = std::pow(ends.high, 1 / rho), low = std::pow(ends.low, 1 / rho);
    return std::pow(high + f * (low - high), rho);
  });
}

// beta: quantiles of the Beta distribution between the ends, more points near both (Lee et al.
// 2024).
//   alpha, beta  0.6, 0.6   its parameters; below 1 crowds points at the end of low noise (alpha)
//                           and of high noise (beta)
std::vector<double> make_beta(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const double alpha = options.real("alpha", 0.6, between(0.05, 100), "parameter of the end of low noise"),
               beta = options.real("beta", 0.6, between(0.05, 100), "parameter of the end of high noise");
  const GridRange range = grid_range(options, schedule, network_sigmas, schedule.sampling_sigmas());
  return times_in_unit(options, schedule, range, [=](Interval ends, double f) {
    return std::lerp(ends.low, ends.high, beta_quantile(alpha, beta, 1 - f));
  });
}

// uniform: t uniform.
//   to_clean  false   N equal steps from σ_max to the clean image (k-diffusion: vp from t = 0)
std::vector<double> make_uniform(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const bool to_clean =
      options.flag("to_clean", false,
                   "equal steps down to where the image is clean, t = 0 on most schedules, in place of sigma_min");
  const GridRange range = grid_range(options, schedule, network_sigmas, schedule.sampling_sigmas());
  const double high = schedule.time(range.high), low = schedule.time(range.low);
  const auto even = evenly(range.steps, [=](double f) { return std::lerp(high, low, f); });
  if (!to_clean) return even;
  const std::optional<double> clean = schedule.clean_time();
  options.check(!options.has("sigma_min"), "sigma_min",
                "excludes to_clean, where the steps' length says how low they go");
  options.check(clean.has_value(), "to_clean", "this schedule has no time at which the image is clean");
  if (!clean) return even;
  const double least = schedule.time(std::max(schedule.sigmas().low, network_sigmas.low)),
               last = std::lerp(*clean, high, 1 / static_cast<double>(range.steps));
  options.check(last >= least, "to_clean",
                "the last of {} steps begins at t = {}, but schedule and network reach down to {} only: take fewer "
                "steps, or a smaller t_min of the schedule",
                range.steps, last, least);
  if (last < least) return even;
  std::vector<double> out;
  for (std::int64_t i = 0; i < range.steps; ++i)
    out.push_back(std::lerp(high, *clean, static_cast<double>(i) / static_cast<double>(range.steps)));
  return out;
}

// quadratic: √t uniform (DPM-Solver's time_quadratic).
std::vector<double> make_quadratic(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const GridRange range = grid_range(options, schedule, network_sigmas, schedule.sampling_sigmas());
  const double high = schedule.time(range.high), low = schedule.time(range.low);
  return evenly(range.steps, [=](double f) {
    const double root = std::lerp(std::sqrt(high), std::sqrt(low), f);
    return std::clamp(root * root, low, high);
  });
}

// log_snr: ln σ uniform (k-diffusion: exponential), or warped by a power (polyexponential).
//   rho  1
std::vector<double> make_log_snr(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const double rho = options.real("rho", 1.0, between(0.1, 100), "power of the warp; 1: even in ln σ");
  const GridRange range = grid_range(options, schedule, network_sigmas, schedule.sampling_sigmas());
  return times_in_unit(options, schedule, range, [=](Interval ends, double f) {
    return ends.low * std::pow(ends.high / ends.low, std::pow(1 - f, rho));
  });
}

}  // namespace edmund::grids
