#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace edmund {

/// Where the loss of a training tends: the geometric mean of the losses of its last steps, each
/// counting e^(1/16) times as much as the one before it, and the lowest that this mean has been.
/// A loss below 1e-4 of the first one counts as that, and until 256 images have been learned from
/// the lowest is taken to be 256/images times as high: a few images tell little.
class LossTrend {
 public:
  /// A training whose loss is beyond this factor of its lowest is not healthy.
  static constexpr double kBound = 10.0;

  /// The mean loss of a step on `images`. What is not finite, or not above 0, is left out.
  void add(double loss, std::int64_t images);
  /// The mean over its lowest; 1 before the first step.
  double rise() const;
  /// The mean; 0 before the first step.
  double mean() const;

  /// As counters of a checkpoint, and back; without them it starts anew.
  void save(std::map<std::string, double>& counters) const;
  void restore(const std::map<std::string, double>& counters);

 private:
  double weight_ = 0.0;                             // of all steps so far
  double mean_ = 0.0, lowest_ = 0.0, first_ = 0.0;  // logarithms
  double images_ = 0.0;
};

}  // namespace edmund
