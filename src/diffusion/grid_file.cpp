// file: the noise levels of a grid file, YAML with one key:
//
//   sigmas: [80, 21.5, 6.1, 0.9, 0.05]      strictly decreasing
//
//   file   path of the grid file, from where the command runs
//
// The levels are those of the file on any schedule that spans them, since a grid of σ says the same on every clock.
#include "discretizations.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"

#include <algorithm>
#include <functional>

namespace edmund {
namespace {

std::vector<double> read_grid_file(const std::string& file) {
  Options content = Options::read_file(file);
  std::vector<double> sigmas = content.reals("sigmas", {}, above(0));
  const bool decreasing = std::adjacent_find(sigmas.begin(), sigmas.end(), std::less_equal<>()) == sigmas.end();
  content.check(decreasing && !sigmas.empty(), "sigmas", "expected a strictly decreasing list of noise levels");
  content.finish();
  return sigmas;
}

}  // namespace

namespace grids {

std::vector<double> make_file(Options& options, const NoiseSchedule& path, Interval network_sigmas) {
  const std::vector<double> fallback{path.times().high};
  const std::string file = options.required_text("file");
  if (file.empty()) return fallback;
  std::vector<double> sigmas;
  try {
    sigmas = read_grid_file(file);
  } catch (const Error& error) {  // one mistake among those of the config
    options.reject("file", error.what());
    return fallback;
  }
  const Interval own = path.sigmas();
  const double low = std::max(own.low, network_sigmas.low), high = std::min(own.high, network_sigmas.high);
  // A range that was solved from these very numbers misses them by rounding.
  if (sigmas.back() < low * (1 - 1e-9) || sigmas.front() > high * (1 + 1e-9)) {
    options.reject("file", format("{}: its noise levels from {} to {} leave what schedule and network span, [{}, {}]",
                                  file, sigmas.back(), sigmas.front(), low, high));
    return fallback;
  }
  std::vector<double> t;
  for (const double sigma : sigmas) t.push_back(path.time(std::clamp(sigma, low, high)));
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
