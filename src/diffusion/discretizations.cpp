// Discretizations of VP, VE and iDDPM as Karras et al. 2022 restate them (table 1 and the code of its ablation).
#include "discretizations.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edmund {
namespace grids {

// edm_vp: t uniform from 1 to ε_s on the VP clock whose linear β gives σ_max and σ_min there. On its published range β is
// 0.1 … 20 (k-diffusion: get_sigmas_vp).
//   epsilon_s  1e-3   smallest time of that clock
std::vector<double> make_edm_vp(Options& options, const NoiseSchedule& path, Interval network_sigmas) {
  const double epsilon_s = options.real("epsilon_s", 1e-3, between(1e-9, 0.5));
  const GridRange range = grid_range(options, path, network_sigmas, published_sigmas("edm_vp", epsilon_s));
  const double first = std::log1p(range.low * range.low), last = std::log1p(range.high * range.high);
  const double beta_d = 2 * (first / epsilon_s - last) / (epsilon_s - 1), beta_min = last - 0.5 * beta_d;
  if (beta_min + beta_d * epsilon_s <= 0 || beta_min + beta_d <= 0) {
    options.reject("type", format("no VP clock with β > 0 spans σ from {} to {}; choose another grid or range",
                                  range.low, range.high));
    return {path.times().high};
  }
  return times(path, range, [=](double fraction) {
    const double t = 1 + fraction * (epsilon_s - 1);
    return std::sqrt(std::expm1(t * (beta_min + 0.5 * beta_d * t)));
  });
}

// edm_ve: σ² geometric.
std::vector<double> make_edm_ve(Options& options, const NoiseSchedule& path, Interval network_sigmas) {
  const GridRange range = grid_range(options, path, network_sigmas, published_sigmas("edm_ve"));
  return times(path, range, [&](double fraction) { return range.high * std::pow(range.low / range.high, fraction); });
}

// edm_iddpm: evenly chosen entries of iDDPM's levels inside the range (rounded half to even).
//   M    1000    levels
//   C_1  0.001   least ratio ᾱ_{j-1}/ᾱ_j
//   C_2  0.008   offset of the cosine
std::vector<double> make_edm_iddpm(Options& options, const NoiseSchedule& path, Interval network_sigmas) {
  const std::int64_t M = options.integer("M", 1000, between(2, 1e6));
  const double C_1 = options.real("C_1", 0.001, inside(0, 1)), C_2 = options.real("C_2", 0.008, between(0, 1));
  const GridRange range = grid_range(options, path, network_sigmas, published_sigmas("edm_iddpm"));
  std::vector<double> u = iddpm_levels(M, C_1, C_2);
  std::erase_if(u, [&](double level) { return level < range.low || level > range.high; });
  if (u.empty()) {
    options.reject("M", format("none of the {} levels lies in [{}, {}]", M, range.low, range.high));
    u = {range.high};
  }
  const double last = static_cast<double>(u.size() - 1);
  return times(path, range,
               [&](double fraction) { return u[static_cast<std::size_t>(std::nearbyint(last * fraction))]; });
}

}  // namespace grids

Interval published_sigmas(std::string_view grid, double epsilon_s) {
  const auto vp = [](double t) { return std::sqrt(std::expm1(t * (0.1 + 0.5 * 19.9 * t))); };
  if (grid == "edm_vp") return {vp(epsilon_s), vp(1.0)};
  if (grid == "edm_ve") return {0.02, 100.0};
  if (grid == "edm_iddpm") return {0.002, 81.0};
  require(grid == "karras", "published_sigmas: no range is published for '{}'", grid);
  return {0.002, 80.0};
}

std::vector<double> iddpm_levels(std::int64_t M, double C_1, double C_2) {
  const auto alpha_bar = [=](std::int64_t j) {
    const double s = std::sin(0.5 * std::numbers::pi * static_cast<double>(j) / (static_cast<double>(M) * (C_2 + 1)));
    return s * s;
  };
  std::vector<double> u(static_cast<std::size_t>(M));
  double next = 0.0;
  for (std::int64_t j = M; j > 0; --j) {
    next = std::sqrt((next * next + 1) / std::max(alpha_bar(j - 1) / alpha_bar(j), C_1) - 1);
    u[static_cast<std::size_t>(j - 1)] = next;
  }
  return u;
}

}  // namespace edmund
