// Grids that are given as a list.
//
// explicit: the points themselves.
//
//   sigmas      strictly decreasing noise levels, or
//   times       strictly decreasing times of the schedule, or
//   timesteps   strictly decreasing entries of its table, counted from 0 as diffusers counts them
//
// file: the noise levels of a grid file, YAML with one key:
//
//   sigmas: [80, 21.5, 6.1, 0.9, 0.05]      strictly decreasing
//
// or the numbers alone, as `edmund grid` prints them for other programs: with commas, spaces or
// lines between, in brackets or not ("sigmas=[80.0, 21.5, 6.1, 0.0]").
//
//   file   the grid file
//   unit   sigma    sigma | flow: what the numbers of a file or of `sigmas` are; flow: the
//                   t = σ/(1 + σ) that programs of straight paths call sigma
//
// A zero at the end of a list of noise levels, which other programs write, stands for the clean
// image and is left out.
//
// The levels are those of the file on any schedule that spans them, since a grid of σ says the same
// on every clock.
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/diffusion/time_grid.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <string_view>

namespace edmund {
namespace {

bool strictly_decreasing(const std::vector<double>& list) {
  return !list.empty() && std::adjacent_find(list.begin(), list.end(), std::less_equal<>()) == list.end();
}

void drop_zero(std::vector<double>& sigmas) {
  if (sigmas.size() > 1 && sigmas.back() == 0) sigmas.pop_back();
}

// Whether numbers are t of straight paths.
bool reads_flow(Options& options) {
  return options.choice("unit", "sigma", {"sigma", "flow"},
                        "what the noise levels are: sigma, or t = sigma/(1 + sigma) of straight paths") == "flow";
}

void from_flow(Options& options, std::string_view key, std::vector<double>& levels) {
  const bool inside = levels.empty() || levels.front() < 1;
  options.check(inside, key, "unit: flow takes t below 1, where sigma is finite, found {}",
                levels.empty() ? 0.0 : levels.front());
  for (double& t : levels) t = inside ? t / (1 - t) : t;
}

// Numbers with commas, spaces or lines between: those of the first brackets, or all; from # on a
// line is a comment.
std::vector<double> numbers_in(std::string text, const std::string& file) {
  for (std::size_t at = text.find('#'); at != std::string::npos; at = text.find('#', at))
    text.erase(at, std::min(text.find('\n', at), text.size()) - at);
  if (const std::size_t open = text.find('['); open != std::string::npos)
    text = text.substr(open + 1, text.find(']', open) - open - 1);
  constexpr std::string_view kBetween = ",;() \t\r\n";
  std::vector<double> out;
  for (std::size_t at = text.find_first_not_of(kBetween); at != std::string::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    const std::string word = text.substr(at, end - at);
    const auto value = parse_real(word);
    require(value.has_value(), "{}: {} is no number; a grid file is YAML with `sigmas`, or numbers alone", file,
            in_quotes(word));
    out.push_back(*value);
    at = text.find_first_not_of(kBetween, end);
  }
  return out;
}

// The last line of a file of ours; who changes its numbers deletes it.
constexpr std::string_view kSeal = "# xxhash64 of the lines above: ";

// A file that says that optimize-grid wrote it, and is not as it did.
void check_seal(std::string_view text, const std::string& file) {
  const std::size_t at = text.rfind(kSeal);
  if (at == std::string_view::npos) return;
  require(text.substr(at) == std::string(kSeal) + checksum(text.substr(0, at)) + "\n",
          "{}: damaged, or changed by hand: its checksum does not match; write it again, or delete its last line",
          file);
}

std::vector<double> read_grid_file(const std::string& file) {
  const std::string text = read_file(file, std::uint64_t{1} << 24);
  check_seal(text, file);
  if (text.find(':') == std::string::npos) {
    std::vector<double> sigmas = numbers_in(text, file);
    drop_zero(sigmas);
    require(strictly_decreasing(sigmas) && sigmas.back() > 0 && std::isfinite(sigmas.front()),
            "{}: expected a strictly decreasing list of noise levels above 0, found {} numbers", file, sigmas.size());
    return sigmas;
  }
  Options content = Options::read_file(file);
  std::vector<double> sigmas = content.reals("sigmas", {}, at_least(0), "noise levels, strictly decreasing");
  drop_zero(sigmas);
  content.check(strictly_decreasing(sigmas) && sigmas.back() > 0, "sigmas",
                "expected a strictly decreasing list of noise levels above 0");
  content.finish();
  return sigmas;
}

// Entries of a table as diffusers counts them: from 0, the least noise, on.
std::vector<double> times_of_entries(Options& options, const NoiseSchedule& schedule,
                                     const std::vector<std::int64_t>& entries) {
  const std::vector<double>& levels = schedule.levels();
  options.check(!levels.empty(), "timesteps", "entries of a table; this schedule has none (ddpm has)");
  options.check(!options.has("sigmas") && !options.has("times"), "timesteps",
                "give one of sigmas, times and timesteps");
  options.check(std::adjacent_find(entries.begin(), entries.end(), std::less_equal<>()) == entries.end(), "timesteps",
                "expected a strictly decreasing list");
  std::vector<double> t;
  for (const std::int64_t entry : entries) {
    const bool known = entry < std::ssize(levels);
    options.check(known || levels.empty(), "timesteps", "must be at most {}, found {}", std::ssize(levels) - 1, entry);
    if (known) t.push_back(schedule.time(levels[static_cast<std::size_t>(entry)]));
  }
  return t;
}

}  // namespace

namespace grids {

std::vector<double> make_explicit(Options& options, const NoiseSchedule& schedule, Interval) {
  const Interval t_range = schedule.times(), sigma_range = schedule.sigmas();
  const std::vector<double> listed_times = options.reals("times", {}, between(t_range.low, t_range.high),
                                                         "times of the schedule, strictly decreasing; or sigmas");
  std::vector<double> sigmas = options.reals("sigmas", {}, at_least(0), "noise levels, strictly decreasing; or times");
  const std::vector<std::int64_t> entries = options.integers(
      "timesteps", {}, at_least(0), "entries of the schedule's table from 0 on, strictly decreasing; or times");
  drop_zero(sigmas);
  if (reads_flow(options)) from_flow(options, "sigmas", sigmas);
  for (const double sigma : sigmas)
    options.check(sigma_range.low * (1 - 1e-9) <= sigma && sigma <= sigma_range.high * (1 + 1e-9), "sigmas",
                  "expected numbers in [{}, {}] (and a zero at the end, or none), found {}", sigma_range.low,
                  sigma_range.high, sigma);
  if (!entries.empty()) return times_of_entries(options, schedule, entries);
  const bool by_time = !listed_times.empty();
  const std::vector<double>& points = by_time ? listed_times : sigmas;
  options.check(!by_time || sigmas.empty(), "sigmas", "give either sigmas or times");
  options.check(strictly_decreasing(points), by_time ? "times" : "sigmas", "expected a strictly decreasing list");
  std::vector<double> t;
  for (const double point : points)
    t.push_back(by_time ? point : schedule.time(std::clamp(point, sigma_range.low, sigma_range.high)));
  return t;
}

std::vector<double> make_file(Options& options, const NoiseSchedule& schedule, Interval network_sigmas) {
  const std::vector<double> fallback{schedule.times().high};
  const std::string file =
      options.required_path("file", "grid file: YAML with `sigmas`, as edmund optimize-grid writes it").string();
  const bool flow = reads_flow(options);
  if (file.empty()) return fallback;
  std::vector<double> sigmas;
  try {
    sigmas = read_grid_file(file);
  } catch (const Error& error) {  // one mistake among those of the config
    options.reject("file", error.what());
    return fallback;
  }
  if (flow) from_flow(options, "file", sigmas);
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
  text += "]\n";
  write_file(file, text + std::string(kSeal) + checksum(text) + "\n");
}

}  // namespace edmund
