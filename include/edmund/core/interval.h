#pragma once

#include <limits>

namespace edmund {

/// Closed interval [low, high] of real numbers.
struct Interval {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();

  bool contains(double value) const { return value >= low && value <= high; }
};

}  // namespace edmund
