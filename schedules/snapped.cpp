#include "edmund/core/error.h"
#include "wrapped.h"

#include <algorithm>

namespace edmund {
namespace {

class Snapped : public Wrapped {
 public:
  Snapped(std::unique_ptr<NoiseSchedule> path, std::vector<double> levels)
      : Wrapped(std::move(path)), levels_(std::move(levels)) {}

  double time(double sigma) const override {
    const auto above = std::lower_bound(levels_.begin(), levels_.end(), sigma);
    if (above == levels_.end()) return path().time(levels_.back());
    if (above == levels_.begin()) return path().time(*above);
    const double below = *(above - 1);
    return path().time(sigma - below < *above - sigma ? below : *above);
  }
  double snap(double t) const override { return time(sigma(t)); }
  std::vector<double> levels() const override { return levels_; }

 private:
  std::vector<double> levels_;
};

}  // namespace

std::unique_ptr<NoiseSchedule> snapped(std::unique_ptr<NoiseSchedule> path, std::vector<double> levels) {
  const double low = path->sigma(path->domain().low), high = path->sigma(path->domain().high);
  std::erase_if(levels, [&](double level) { return level < low || level > high; });
  require(!levels.empty(), "schedule: none of the noise levels that the network knows lies in [{}, {}]", low, high);
  return std::make_unique<Snapped>(std::move(path), std::move(levels));
}

}  // namespace edmund
