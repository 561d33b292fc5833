#include "wrapped.h"

#include <cmath>

namespace edmund {
namespace {

class UnitScale : public Wrapped {
 public:
  using Wrapped::Wrapped;
  double scale(double t) const override { return inside(t), 1.0; }
  double scale_rate(double t) const override { return inside(t), 0.0; }
};

class VariancePreservingScale : public Wrapped {
 public:
  using Wrapped::Wrapped;
  double scale(double t) const override { return 1 / std::hypot(1.0, sigma(t)); }
  double scale_rate(double t) const override {
    const double s = scale(t);
    return -sigma(t) * sigma_rate(t) * s * s * s;
  }
};

}  // namespace

std::unique_ptr<NoiseSchedule> scaled(std::unique_ptr<NoiseSchedule> path, Scale scale) {
  if (scale == Scale::kUnit) return std::make_unique<UnitScale>(std::move(path));
  if (scale == Scale::kVariancePreserving) return std::make_unique<VariancePreservingScale>(std::move(path));
  return path;
}

}  // namespace edmund
