#pragma once

#include <cmath>

namespace edmund {

/// β(t) = min + slope·t of the VP and sub-VP SDEs (Song et al. 2021, eq. 32).
struct LinearBeta {
  double min = 0.1, slope = 19.9;

  double rate(double t) const { return min + slope * t; }
  /// B(t) = ∫₀ᵗ β.
  double integral(double t) const { return t * (min + 0.5 * slope * t); }
  /// Inverse of integral(), in the form that does not cancel.
  double time(double B) const {
    const double root = std::sqrt(min * min + 2 * slope * B);
    return min > 0 ? 2 * B / (min + root) : (root - min) / slope;
  }
};

}  // namespace edmund
