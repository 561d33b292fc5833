#include "edmund/core/error.h"
#include "edmund/studies/grid_search.h"

#include <algorithm>
#include <cmath>

namespace edmund {
namespace {

constexpr double kClosest = 1e-3;  // levels in ln σ: nearer ones are one
constexpr double kLeastGain = 1e-3;

// A search over the logarithms of the levels.
class Search {
 public:
  Search(const ConvergedImages& images, const std::vector<double>& start)
      : images_(images), low_(std::log(images.task().sigmas.low)), high_(std::log(images.task().sigmas.high)) {
    for (const double sigma : start) point_.push_back(std::clamp(std::log(sigma), low_, high_));
    const double spread =
        point_.size() > 1 ? (point_.front() - point_.back()) / static_cast<double>(point_.size() - 1) : 1.0;
    steps_.assign(point_.size(), 0.3 * spread);
    value_ = measured(point_);
  }

  void sweep() {
    const std::vector<double> before = point_;
    for (std::size_t i = 0; i < point_.size(); ++i) move(i);
    // The same way once more.
    std::vector<double> further = point_;
    for (std::size_t i = 0; i < further.size(); ++i) further[i] += point_[i] - before[i];
    take(further);
  }

  double value() const { return value_; }
  std::int64_t trials() const { return trials_; }
  bool still() const {
    return std::all_of(steps_.begin(), steps_.end(), [](double step) { return step < kClosest; });
  }
  std::vector<double> sigmas() const { return levels(point_); }

 private:
  // exp(ln σ) must not leave the range by rounding, where the schedule may stop.
  std::vector<double> levels(const std::vector<double>& point) const {
    std::vector<double> out;
    for (const double u : point)
      out.push_back(std::clamp(std::exp(u), images_.task().sigmas.low, images_.task().sigmas.high));
    return out;
  }

  double measured(const std::vector<double>& point) {
    ++trials_;
    return images_.distance(levels(point)).value;
  }

  bool valid(const std::vector<double>& point) const {
    for (std::size_t i = 0; i < point.size(); ++i)
      if (point[i] < low_ || point[i] > high_ || (i > 0 && point[i] > point[i - 1] - kClosest)) return false;
    return true;
  }

  // Takes the point if it is better.
  bool take(const std::vector<double>& point) {
    if (!valid(point)) return false;
    const double value = measured(point);
    if (!(value < value_)) return false;
    point_ = point;
    value_ = value;
    return true;
  }

  // One level up and down; then to the lowest point of the parabola through the three if neither is
  // better.
  void move(std::size_t i) {
    const double middle = value_, step = steps_[i];
    double found[2] = {0, 0};
    for (const int side : {0, 1}) {
      std::vector<double> point = point_;
      const double room_up = i == 0 ? high_ - point[i] : point[i - 1] - kClosest - point[i];
      const double room_down = point[i] - (i + 1 == point.size() ? low_ : point[i + 1] + kClosest);
      const double room = side == 0 ? room_up : room_down;
      if (room <= 0) {
        found[side] = 2 * middle;
        continue;
      }
      point[i] += (side == 0 ? 1 : -1) * std::min(step, room);
      found[side] = measured(point);
      if (found[side] < value_) {
        point_ = point;
        value_ = found[side];
        steps_[i] = 1.4 * step;
        return;
      }
    }
    const double curvature = found[0] + found[1] - 2 * middle;
    steps_[i] = 0.4 * step;
    if (!(curvature > 0) || !std::isfinite(curvature)) return;
    std::vector<double> point = point_;
    point[i] += 0.5 * step * (found[1] - found[0]) / curvature;
    take(point);
  }

  const ConvergedImages& images_;
  double low_, high_, value_ = 0.0;
  std::vector<double> point_, steps_;
  std::int64_t trials_ = 0;
};

// Levels of a grid of that config, on the schedule; none if the range does not allow it, as that of
// edm_vp.
std::vector<double> named(const NoiseSchedule& schedule, const std::string& yaml) {
  Options options = Options::read_text(yaml, "standard grid");
  const TimeGrid grid = make_grid(options, schedule);
  try {
    options.finish();
  } catch (const Error&) {
    return {};
  }
  std::vector<double> out;
  for (const double t : grid.t) out.push_back(schedule.sigma(t));
  return out;
}

}  // namespace

FoundGrid refined_grid(const ConvergedImages& images, std::vector<double> start, std::int64_t sweeps,
                       const std::function<void(std::int64_t, double)>& swept) {
  Search search(images, start);
  FoundGrid found{.start = search.value()};
  while (found.sweeps < sweeps && !search.still()) {
    const double before = search.value();
    search.sweep();
    ++found.sweeps;
    if (swept) swept(found.sweeps, search.value());
    // The first sweeps find the size of the steps, gain or not.
    if (found.sweeps > 3 && search.value() > (1 - kLeastGain) * before) break;
  }
  found.sigmas = search.sigmas();
  found.distance = search.value();
  found.trials = search.trials();
  return found;
}

std::vector<StandardGrid> standard_grids(const NoiseSchedule& schedule, Interval sigmas, std::int64_t steps) {
  std::vector<StandardGrid> out;
  std::vector<double> lows{sigmas.low};
  for (const double low : {0.02, 0.1})
    if (low > 1.5 * sigmas.low && low < sigmas.high) lows.push_back(low);
  struct Family {
    std::string_view type;
    double rho;  // 0: has none
  };
  for (const double low : lows)
    for (const auto& [type, rho] : {Family{"karras", 3},
                                    {"karras", 5},
                                    {"karras", 7},
                                    {"karras", 10},
                                    {"log_snr", 0.7},
                                    {"log_snr", 1},
                                    {"log_snr", 1.5},
                                    {"uniform", 0},
                                    {"quadratic", 0},
                                    {"edm_vp", 0},
                                    {"edm_ve", 0}}) {
      const std::string option = rho > 0 ? format(", rho: {}", rho) : "";
      const std::string range = format(", sigma_min: {}, sigma_max: {}", low, sigmas.high);
      std::vector<double> levels = named(schedule, format("{type: {}, steps: {}", type, steps) + option + range + "}");
      if (std::ssize(levels) == steps)
        out.push_back({std::string(type) + option + format(", sigma_min: {}", low), std::move(levels)});
    }
  if (std::ssize(schedule.levels()) >= std::max<std::int64_t>(steps, 100))
    for (const char* spacing : {"leading", "trailing", "linspace"}) {
      std::vector<double> levels = named(schedule, format("{type: native, steps: {}, spacing: {}}", steps, spacing));
      if (std::ssize(levels) == steps) out.push_back({format("native, spacing: {}", spacing), std::move(levels)});
    }
  return out;
}

}  // namespace edmund
