// Grids that are given as a list.
//
// explicit: the points themselves.
//
//   sigmas   strictly decreasing noise levels, or
//   times    strictly decreasing times of the schedule
//
// file: the noise levels of a grid file, YAML with one key:
//
//   sigmas: [80, 21.5, 6.1, 0.9, 0.05]      strictly decreasing
//
//   file   the grid file
//
// The levels are those of the file on any schedule that spans them, since a grid of σ says the same
// on every clock.
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/diffusion/time_grid.h"

#include <algorithm>
#include <functional>

namespace edmund {
namespace {

bool strictly_decreasing(const std::vector<double>& list) {
  return !list.empty() && std::adjacent_find(list.begin(), list.end(), std::less_equal<>()) == list.end();
}

std::vector<double> read_grid_file(const std::string& file) {
  Options content = Options::read_file(file);
  std::vector<double> sigmas = content.reals("sigmas", {}, above(0), "noise levels, strictly decreasing");
  content.check(strictly_decreasing(sigmas), "sigmas", "expected a strictly decreasing list of noise levels");
  content.finish();
  return sigmas;
}

}  // namespace

namespace grids {

std::vector<double> make_explicit(Options& options, const NoiseSchedule& schedule, Interval) {
  const Interval t_range = schedule.times(), sigma_range = schedule.sigmas();
  const std::vector<double> listed_times = options.reals("times", {}, between(t_range.low, t_range.high),
                                                         "times of the schedule, strictly decreasing; or sigmas"),
                            sigmas = options.reals("sigmas", {}, between(sigma_range.low, sigma_range.high),
                                                   "noise levels, strictly decreasing; or times");
  const bool by_time = !listed_times.empty();
  const std::vector<double>& points = by_time ? listed_times : sigmas;
  options.check(!by_time || sigmas.empty(), "sigmas", "give either sigmas or times");
  options.check(strictly_decreasing(points), by_time ? "times" : "sigmas", "expected a strictly decreasing list");
  std::vector<double> t;
  for (const double point : points) t.push_back(by_time ? point : schedule.time(point));
  return t;
}

std::vector<double> make_file(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const std::vector<double> fallback{schedule.times().high};
  const std::string file =
      options.required_path("file", "grid file: YAML with `sigmas`, as edmund optimize-grid writes it").string();
  if (file.empty()) return fallback;
  std::vector<double> sigmas;
  try {
    sigmas = read_grid_file(file);
  } catch (const Error& error) {  // one mistake among those of the config
    options.reject("file", error.what());
    return fallback;
  }
  const Interval own = schedule.sigmas();
  const double low = std::max(own.low, network_sigmas.low), high = std::min(own.high, network_sigmas.high);
  // A range that was solved from these very numbers misses them by rounding.
  if (sigmas.back() < low * (1 - 1e-9) || sigmas.front() > high * (1 + 1e-9)) {
    options.reject("file", format("{}: its noise levels from {} to {} leave what schedule and network span, [{}, {}]",
                                  file, sigmas.back(), sigmas.front(), low, high));
    return fallback;
  }
  std::vector<double> t;
  for (const double sigma : sigmas) t.push_back(schedule.time(std::clamp(sigma, low, high)));
  return t;
}

}  // namespace grids

void write_grid_file(const std::filesystem::path& file, std::span<const double> sigmas, std::string_view about) {
  std::string text = "# ";
  for (const char c : about) text += c == '\n' ? std::string("\n# ") : std::string(1, c);
  text += "\nsigmas: [";
  for (std::size_t i = 0; i < sigmas.size(); ++i) text += (i == 0 ? "" : ", ") + number_text(sigmas[i]);
  write_file(file, text + "]\n");
}

}  // namespace edmund
