// Grids that space a function of t evenly.
#include "range.h"

#include <algorithm>
#include <cmath>

namespace edmund::grids {

// karras: σ^(1/ρ) uniform (Karras et al. 2022, eq. 5).
//   rho  7
std::vector<double> make_karras(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const double rho = options.real("rho", 7.0, between(0.1, 1000), "exponent: greater ones crowd points at low noise");
  const GridRange range = grid_range(options, schedule, network_sigmas, published_sigmas("karras"));
  const double high = std::pow(range.high, 1 / rho), low = std::pow(range.low, 1 / rho);
  return times(schedule, range, [=](double f) { return std::pow(high + f * (low - high), rho); });
}

// uniform: t uniform.
std::vector<double> make_uniform(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const GridRange range = grid_range(options, schedule, network_sigmas, schedule.sampling_sigmas());
  const double high = schedule.time(range.high), low = schedule.time(range.low);
  return evenly(range.steps, [=](double f) { return std::lerp(high, low, f); });
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
  return times(schedule, range,
               [=](double f) { return range.low * std::pow(range.high / range.low, std::pow(1 - f, rho)); });
}

}  // namespace edmund::grids
