#include "edmund/training/loss_scaler.h"

#include <algorithm>
#include <cmath>

namespace edmund {
namespace {

constexpr double kHighest = 0x1p127;  // the highest power of two in float32

}  // namespace

bool LossScaler::update(bool is_finite) {
  if (!is_finite) {
    const double before = scale_;
    scale_ = std::max(scale_ * settings_.back_off, settings_.lowest);
    steps_ = 0;
    return scale_ < before;
  }
  if (++steps_ < settings_.interval) return false;
  scale_ = std::min(scale_ * settings_.growth, kHighest);
  steps_ = 0;
  return false;
}

void LossScaler::save(std::map<std::string, double>& counters) const {
  counters["loss_scale.scale"] = scale_;
  counters["loss_scale.steps"] = static_cast<double>(steps_);
}

void LossScaler::restore(const std::map<std::string, double>& counters) {
  const auto scale = counters.find("loss_scale.scale"), steps = counters.find("loss_scale.steps");
  const bool is_known = scale != counters.end() && steps != counters.end() && scale->second > 0.0;
  scale_ = is_known ? std::clamp(scale->second, settings_.lowest, kHighest) : settings_.initial;
  steps_ = is_known ? static_cast<std::int64_t>(steps->second) : 0;
}

}  // namespace edmund
