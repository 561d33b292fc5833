#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace edmund {

/// `training.loss_scale: {type: dynamic}`: a factor on the loss that is taken off the gradient
/// again, so that small gradients survive a narrow number format (Micikevicius et al. 2018, section
/// 3.2). Powers of two change no bit of a float32 gradient.
struct DynamicScale {
  double initial = 65536.0;
  double growth = 2.0;    // factor after `interval` steps with finite gradients
  double back_off = 0.5;  // factor after a gradient that is not finite, whose step is skipped
  std::int64_t interval = 2000;
  double lowest = 1.0;  // below which there is no backing off
};

/// The scale along a training.
class LossScaler {
 public:
  explicit LossScaler(const DynamicScale& settings) : settings_(settings), scale_(settings.initial) {}

  double scale() const { return scale_; }
  /// After a step. Returns whether the scale was lowered: the step failed by it, as far as is
  /// known.
  bool update(bool is_finite);

  /// As counters of a checkpoint, and back; without them it starts anew.
  void save(std::map<std::string, double>& counters) const;
  void restore(const std::map<std::string, double>& counters);

 private:
  DynamicScale settings_;
  double scale_;
  std::int64_t steps_ = 0;  // with finite gradients since it changed
};

}  // namespace edmund
