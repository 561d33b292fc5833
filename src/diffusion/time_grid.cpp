#include "edmund/diffusion/time_grid.h"

#include "discretizations.h"
#include "edmund/core/log.h"

#include <algorithm>
#include <cmath>

namespace edmund {
namespace grids {

GridRange grid_range(Options& options, const NoiseSchedule& path, Interval network_sigmas, Interval usual) {
  const Interval own = path.sigmas();
  const Interval reach{std::max(own.low, network_sigmas.low), std::min(own.high, network_sigmas.high)};
  // A range that was solved from these very numbers misses them by rounding.
  const Range allowed = between(own.low * (1 - 1e-9), own.high * (1 + 1e-9));
  GridRange range{.steps = options.integer("steps", 18, between(1, 1e6))};
  range.low = std::max(options.real("sigma_min", std::max(usual.low, reach.low), allowed), reach.low);
  range.high = std::min(options.real("sigma_max", std::min(usual.high, reach.high), allowed), reach.high);
  if (range.low < range.high || (range.low == range.high && range.steps == 1)) return range;
  options.reject("", format("no noise levels from {} to {}: the schedule spans [{}, {}], the network [{}, {}]",
                            range.low, range.high, own.low, own.high, network_sigmas.low, network_sigmas.high));
  return {range.steps, own.low, own.high};
}

namespace {

double fraction(std::int64_t i, std::int64_t N) {
  return N == 1 ? 0.0 : static_cast<double>(i) / static_cast<double>(N - 1);
}

// t(fraction), fraction = 0 … 1.
template <typename Time>
std::vector<double> evaluated(std::int64_t N, Time&& time) {
  std::vector<double> t;
  for (std::int64_t i = 0; i < N; ++i) t.push_back(time(fraction(i, N)));
  return t;
}

}  // namespace

std::vector<double> times(const NoiseSchedule& path, const GridRange& range,
                          const std::function<double(double)>& sigma) {
  // Rounding must not carry a σ past the ends, where the schedule may stop.
  return evaluated(range.steps, [&](double f) { return path.time(std::clamp(sigma(f), range.low, range.high)); });
}

namespace {

// karras: σ^(1/ρ) uniform (Karras et al. 2022, eq. 5).
//   rho  7
std::vector<double> make_karras(Options& options, const NoiseSchedule& path, Interval network_sigmas) {
  const double rho = options.real("rho", 7.0, between(0.1, 1000));
  const GridRange range = grid_range(options, path, network_sigmas, published_sigmas("karras"));
  const double high = std::pow(range.high, 1 / rho), low = std::pow(range.low, 1 / rho);
  return times(path, range, [=](double f) { return std::pow(high + f * (low - high), rho); });
}

// uniform: t uniform.
std::vector<double> make_uniform(Options& options, const NoiseSchedule& path, Interval network_sigmas) {
  const GridRange range = grid_range(options, path, network_sigmas, path.sampling_sigmas());
  const double high = path.time(range.high), low = path.time(range.low);
  return evaluated(range.steps, [=](double f) { return std::lerp(high, low, f); });
}

// quadratic: √t uniform (DPM-Solver's time_quadratic).
std::vector<double> make_quadratic(Options& options, const NoiseSchedule& path, Interval network_sigmas) {
  const GridRange range = grid_range(options, path, network_sigmas, path.sampling_sigmas());
  const double high = path.time(range.high), low = path.time(range.low);
  return evaluated(range.steps, [=](double f) {
    const double root = std::lerp(std::sqrt(high), std::sqrt(low), f);
    return std::clamp(root * root, low, high);
  });
}

// log_snr: ln σ uniform (k-diffusion: exponential), or warped by a power (polyexponential).
//   rho  1
std::vector<double> make_log_snr(Options& options, const NoiseSchedule& path, Interval network_sigmas) {
  const double rho = options.real("rho", 1.0, between(0.1, 100));
  const GridRange range = grid_range(options, path, network_sigmas, path.sampling_sigmas());
  return times(path, range,
               [=](double f) { return range.low * std::pow(range.high / range.low, std::pow(1 - f, rho)); });
}

// native: entries of a table of N levels, as the discrete samplers choose them. Entries count from 1.
//   spacing  leading    k⌊N/steps⌋ + 1 + offset, k = steps-1 … 0 (Ho et al. 2020; DDIM's where steps divides N)
//            linspace   evenly from N to 1, rounded half to even
//            trailing   N - k·N/steps, k = 0 … steps-1, rounded half to even (Lin et al. 2024)
//            quadratic  ⌊(√(0.8 N) k/(steps-1))²⌋ + 1, k = steps-1 … 0 (DDIM's on CIFAR-10)
//   offset   0          of `leading`
std::vector<double> make_native(Options& options, const NoiseSchedule& path, Interval) {
  const std::vector<double> levels = path.levels();
  const std::string spacing = options.choice("spacing", "leading", {"leading", "linspace", "trailing", "quadratic"});
  const auto size = std::max<std::int64_t>(std::ssize(levels), 1);
  std::int64_t N = options.integer("steps", 18, between(1, 1e6)), offset = options.integer("offset", 0, at_least(0));
  if (levels.empty()) {
    options.reject("type", "native chooses entries of a table; this schedule has none (ddpm has)");
    return {path.times().high};
  }
  if (N > size) options.reject("steps", format("must be at most the {} entries of the table, found {}", size, N));
  N = std::min(N, size);
  const std::int64_t stride = size / N;
  if (spacing == "leading" && (N - 1) * stride + 1 + offset > size) {
    options.reject("offset", format("must be at most {} with {} steps of {} entries, found {}",
                                    size - 1 - (N - 1) * stride, N, size, offset));
    offset = 0;
  }
  std::vector<double> t;
  for (std::int64_t k = N - 1; k >= 0; --k) {
    const double all = static_cast<double>(size), n = static_cast<double>(k),
                 gaps = std::max(static_cast<double>(N - 1), 1.0);
    double entry = static_cast<double>(k * stride + 1 + offset);
    if (spacing == "linspace") entry = N == 1 ? all : std::nearbyint(n * ((all - 1) / gaps)) + 1;
    if (spacing == "trailing")
      entry = std::nearbyint(all - static_cast<double>(N - 1 - k) * (all / static_cast<double>(N)));
    if (spacing == "quadratic") entry = std::floor(std::pow(n * (std::sqrt(0.8 * all) / gaps), 2)) + 1;
    t.push_back(path.time(levels[static_cast<std::size_t>(entry) - 1]));
  }
  return t;
}

// explicit: the points themselves.
//   sigmas   strictly decreasing noise levels, or
//   times    strictly decreasing times of the schedule
std::vector<double> make_explicit(Options& options, const NoiseSchedule& path, Interval) {
  const bool by_time = options.has("times");
  const std::string_view key = by_time ? "times" : "sigmas";
  const Interval ends = by_time ? path.times() : path.sigmas();
  const std::vector<double> points = options.reals(key, {}, between(ends.low, ends.high));
  options.check(!(by_time && options.has("sigmas")), "sigmas", "give either sigmas or times");
  const bool decreasing = std::adjacent_find(points.begin(), points.end(), std::less_equal<>()) == points.end();
  options.check(decreasing && !points.empty(), key, "expected a strictly decreasing list");
  std::vector<double> t;
  for (const double point : points) t.push_back(by_time ? point : path.time(point));
  return t;
}

}  // namespace
}  // namespace grids

namespace {

constexpr Entry<GridFactory> kGrids[] = {
    {"karras", "σ^(1/ρ) uniform", "Karras et al. 2022, eq. 5", grids::make_karras},
    {"uniform", "evenly spaced in t", "-", grids::make_uniform},
    {"quadratic", "evenly spaced in √t", "Lu et al. 2022", grids::make_quadratic},
    {"log_snr", "ln σ uniform, or to a power (exponential, polyexponential)", "Lu et al. 2022", grids::make_log_snr},
    {"native", "entries of a table: leading, linspace, trailing or quadratic",
     "Ho et al. 2020; Song et al. 2021; Lin et al. 2024", grids::make_native},
    {"edm_vp", "t uniform on the VP clock of that range", "Karras et al. 2022, table 1", grids::make_edm_vp},
    {"edm_ve", "σ² geometric", "Karras et al. 2022, table 1", grids::make_edm_ve},
    {"edm_iddpm", "entries of iDDPM's cosine levels", "Karras et al. 2022, table 1", grids::make_edm_iddpm},
    {"explicit", "the σ's or times of a list", "-", grids::make_explicit},
    {"file", "the σ's of a grid file (edmund optimize-grid)", "-", grids::make_file},
};

}  // namespace

std::span<const Entry<GridFactory>> grid_table() { return kGrids; }

std::vector<std::pair<double, double>> steps(const TimeGrid& grid) {
  std::vector<std::pair<double, double>> out;
  for (std::size_t i = 0; i + 1 < grid.t.size(); ++i) out.emplace_back(grid.t[i], grid.t[i + 1]);
  return out;
}

TimeGrid make_grid(Options& options, const NoiseSchedule& path, Interval network_sigmas) {
  const std::vector<double> wanted = chosen(grid_table(), options, "karras").make(options, path, network_sigmas);
  TimeGrid grid;
  for (double t : wanted) {
    t = path.snap(t);
    if (grid.t.empty() || t < grid.t.back()) grid.t.push_back(t);
  }
  if (grid.t.empty()) grid.t = {path.times().high};
  if (grid.t.size() < wanted.size())
    log::warn("{}: {} of the {} times fall together", options.where(), wanted.size() - grid.t.size(), wanted.size());
  return grid;
}

}  // namespace edmund
