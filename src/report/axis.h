#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace edmund {

constexpr double kLargest = 1e300;  // beyond it differences overflow

/// One axis: its range of values and the pixels it is laid on.
struct Axis {
  bool log = false;
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  double from = 0.0, to = 1.0;  // pixels of low and high
  std::vector<double> ticks;
  // of rows that are counted from the top, in place of numbers
  std::vector<std::string> names = {};

  std::string label(double tick) const;  // as many digits as tell its ticks apart
  bool shows(double value) const {
    return std::isfinite(value) && std::abs(value) < kLargest && (!log || value > 1 / kLargest);
  }
  void include(double value) {
    if (!shows(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
  double along(double value) const { return log ? std::log10(value) : value; }
  double at(double value) const {
    const double share = (along(value) - along(low)) / (along(high) - along(low));
    return from + (to - from) * std::clamp(share, -1.0, 2.0);
  }

  /// Some air around the values, a range where there is but one, and the ticks.
  void settle(double air, std::int64_t count);
};

/// Fine lines at 2 … 9 times the powers of ten, where there is room for them.
std::vector<double> fine_ticks(const Axis& axis);

}  // namespace edmund
