#pragma once

#include "edmund/core/interval.h"

#include <algorithm>
#include <cmath>

namespace edmund {

/// x inside [low, high] with f(x) = 0, f increasing: Newton's steps, and bisection where they leave
/// the bracket or are slow (Press et al. 2007, section 9.4). value_and_slope(x) gives f and f'.
template <typename Function>
double increasing_root(const Function& value_and_slope, Interval bracket, double x) {
  double before = bracket.high - bracket.low;
  for (int i = 0; i < 200; ++i) {
    const auto [value, slope] = value_and_slope(x);
    if (value == 0) return x;
    (value < 0 ? bracket.low : bracket.high) = x;
    double next = x - value / slope;
    const bool slow = std::abs(next - x) > 0.5 * before;
    if (slow || !(next > bracket.low && next < bracket.high)) next = 0.5 * (bracket.low + bracket.high);
    before = std::abs(next - x);
    if (next == x || next == bracket.low || next == bracket.high) return next;
    x = next;
  }
  return x;
}

}  // namespace edmund
