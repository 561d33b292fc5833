// flow_shift: times of the flow clock, uniform, then moved towards the noise as larger images need
// it (Esser et al. 2024, eq. 23): t → a·t/(1 + (a - 1)·t), σ = t/(1 - t). On any schedule.
//
//   steps        18
//   shift        1            a
//   mu                        instead of shift: a = e^mu
//   tokens                    instead of both, the length of the image's sequence: mu lies on the
//                             line through (base_tokens, base_shift) and (max_tokens, max_shift)
//                             (Black Forest Labs 2024; diffusers: dynamic shifting)
//   base_tokens  256, max_tokens 4096, base_shift 0.5, max_shift 1.15
//   time_shift   exponential  or linear: a = mu
//   first, last  1, 1/steps   times before the shift; diffusers goes down to 0.001 where it is
//                             given no
//                             list
//   terminal     0            the last time, to which all are stretched; 0: they are not
//
// The ends are cut to what schedule and network span (t = 1 has σ = ∞).
#include "range.h"

#include <algorithm>
#include <cmath>

namespace edmund::grids {
namespace {

// What multiplies σ.
double read_factor(Options& options) {
  const double shift = options.real("shift", 1.0, above(0), "factor of σ; or mu, or tokens");
  double mu = options.real("mu", 0.0, between(-20, 20), "shift = e^mu");
  const bool linear =
      options.choice("time_shift", "exponential", {"exponential", "linear"}, "shift = e^mu, or mu itself") == "linear";
  const double tokens = options.real("tokens", 256, at_least(1), "length of the image's sequence, which gives mu");
  const double base = options.real("base_tokens", 256, at_least(1), "length that base_shift belongs to"),
               most = options.real("max_tokens", 4096, at_least(1), "length that max_shift belongs to");
  const double low = options.real("base_shift", 0.5, between(-20, 20), "mu at base_tokens"),
               high = options.real("max_shift", 1.15, between(-20, 20), "mu at max_tokens");
  const int given = (options.has("shift") ? 1 : 0) + (options.has("mu") ? 1 : 0) + (options.has("tokens") ? 1 : 0);
  options.check(given <= 1, options.has("tokens") ? "tokens" : "mu", "give one of shift, mu and tokens");
  options.check(base != most, "max_tokens", "must be another number than base_tokens");
  if (options.has("tokens") && base != most) mu = low + (high - low) * (tokens - base) / (most - base);
  if (!options.has("mu") && !options.has("tokens")) {
    options.check(!linear, "time_shift", "is about mu; give mu or tokens");
    return shift;
  }
  options.check(!linear || mu > 0, "mu", "must be above 0 with time_shift: linear, found {}", mu);
  return linear && mu > 0 ? mu : std::exp(mu);
}

}  // namespace

std::vector<double> make_flow_shift(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const std::int64_t steps = grid_steps(options);
  const double shift = read_factor(options), first = options.real("first", 1.0, between(1e-9, 1), "before the shift");
  const double last = options.real("last", 1 / static_cast<double>(steps), between(1e-9, 1), "before the shift");
  const double terminal = options.real("terminal", 0.0, {.low = 0, .high = 1, .open_high = true},
                                       "the last time, to which all are stretched; 0: they are not");
  const Interval own = schedule.sigmas();
  const double low = std::max(own.low, network_sigmas.low), high = std::min(own.high, network_sigmas.high);
  if (low > high) {
    options.reject("", format("no noise levels: the schedule spans [{}, {}], the network [{}, {}]", own.low, own.high,
                              network_sigmas.low, network_sigmas.high));
    return {schedule.times().high};
  }
  // Cut to the range as it is before the shift, which multiplies σ.
  const auto flow_time = [](double sigma) { return sigma / (1 + sigma); };
  const Interval reach{flow_time(low / shift), flow_time(high / shift)};
  Interval ends{std::max(last, reach.low), std::min(first, reach.high)};
  if (steps > 1 && ends.low >= ends.high) {
    options.check(!options.has("first") && !options.has("last"), "last",
                  "no times from first = {} down to {} have σ in [{}, {}]", first, last, low, high);
    ends = reach;
  }
  std::vector<double> sigmas = evenly(steps, [=](double f) {
    const double t = std::lerp(ends.high, ends.low, f);
    return shift * t / (1 - t);
  });
  if (terminal > 0)  // 1 - t, times what makes the last one 1 - terminal
    for (const double stretch = (1 - terminal) * (1 + sigmas.back()); double& sigma : sigmas)
      sigma = (1 + sigma) / stretch - 1;
  std::vector<double> t;
  for (const double sigma : sigmas) t.push_back(schedule.time(std::clamp(sigma, low, high)));
  return t;
}

}  // namespace edmund::grids
