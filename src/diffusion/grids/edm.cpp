// Discretizations of VP, VE and iDDPM as Karras et al. 2022 restate them (table 1 and the code of
// its ablation).
#include "edmund/core/error.h"
#include "edmund/schedules/linear_beta.h"
#include "range.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edmund {
namespace grids {

// edm_vp: t uniform from 1 to ε_s on the VP clock whose linear β gives σ_max and σ_min there. On
// its published range β is 0.1 … 20 (k-diffusion: get_sigmas_vp).
//   epsilon_s  1e-3   smallest time of that clock
std::vector<double> make_edm_vp(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const double epsilon_s = options.real("epsilon_s", 1e-3, between(1e-9, 0.5), "smallest time of the VP clock");
  const GridRange range = grid_range(options, schedule, network_sigmas, published_sigmas("edm_vp", epsilon_s));
  const auto beta = LinearBeta::of_vp({range.low, range.high}, epsilon_s);
  if (!beta) {
    options.reject("type", format("no VP clock with β > 0 spans σ from {} to {}; choose another grid or range",
                                  range.low, range.high));
    return {schedule.times().high};
  }
  return times(schedule, range, [=](double fraction) { return beta->vp_sigma(1 + fraction * (epsilon_s - 1)); });
}

// edm_ve: σ² geometric.
std::vector<double> make_edm_ve(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const GridRange range = grid_range(options, schedule, network_sigmas, published_sigmas("edm_ve"));
  return times(schedule, range,
               [&](double fraction) { return range.high * std::pow(range.low / range.high, fraction); });
}

// edm_iddpm: evenly chosen entries of iDDPM's levels inside the range (rounded half to even).
//   M    1000    levels
//   C_1  0.001   least ratio ᾱ_{j-1}/ᾱ_j
//   C_2  0.008   offset of the cosine
std::vector<double> make_edm_iddpm(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const std::int64_t M = options.integer("M", 1000, between(2, 1e6), "number of iDDPM's levels");
  const double C_1 = options.real("C_1", 0.001, inside(0, 1), "least ratio ᾱ_{j-1}/ᾱ_j"),
               C_2 = options.real("C_2", 0.008, between(0, 1), "offset of the cosine");
  const GridRange range = grid_range(options, schedule, network_sigmas, published_sigmas("edm_iddpm"));
  std::vector<double> u = iddpm_levels(M, C_1, C_2);
  std::erase_if(u, [&](double level) { return level < range.low || level > range.high; });
  if (u.empty()) {
    options.reject("M", format("none of the {} levels lies in [{}, {}]", M, range.low, range.high));
    u = {range.high};
  }
  const double last = static_cast<double>(u.size() - 1);
  return times(schedule, range,
               [&](double fraction) { return u[static_cast<std::size_t>(std::nearbyint(last * fraction))]; });
}

}  // namespace grids

Interval published_sigmas(std::string_view grid, double epsilon_s) {
  if (grid == "edm_vp") return {LinearBeta().vp_sigma(epsilon_s), LinearBeta().vp_sigma(1.0)};
  if (grid == "edm_ve") return {0.02, 100.0};
  if (grid == "edm_iddpm") return {0.002, 81.0};
  require(grid == "karras", "published_sigmas: no range is published for '{}'", grid);
  return {0.002, 80.0};
}

std::vector<double> iddpm_levels(std::int64_t M, double C_1, double C_2) {
  const double step = 0.5 * std::numbers::pi / (static_cast<double>(M) * (C_2 + 1));
  // β_j = 1 - ᾱ_{j-1}/ᾱ_j, ᾱ_j = sin²(j·step): as a difference little of it would be left where M
  // is large.
  const auto beta = [=](std::int64_t j) {
    const auto b = static_cast<double>(j);
    return std::sin(step) * std::sin((2 * b - 1) * step) / std::pow(std::sin(b * step), 2);
  };
  std::vector<double> u(static_cast<std::size_t>(M));
  double next = 0.0;
  for (std::int64_t j = M; j > 0; --j) {
    const double lost = std::min(beta(j), 1 - C_1);
    next = std::sqrt((next * next + lost) / (1 - lost));
    u[static_cast<std::size_t>(j - 1)] = next;
  }
  return u;
}

}  // namespace edmund
