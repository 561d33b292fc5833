#pragma once

#include "edmund/core/tensor.h"

#include <optional>

namespace edmund {

/// A distance of N drawn images to a real set that is taken as it is: how far another choice of
/// the drawn images would have moved it, and nothing else.
struct DrawnDistance {
  double value = 0.0;
  /// What the finite number of drawn images adds to the mean of the value; unset where it cannot be
  /// told, 0 for unbiased distances.
  std::optional<double> bias = {};
  /// float64 [N]: N times what each image adds to the value, to first order, less the mean of
  /// that. Undefined where it cannot be told.
  Tensor influence = {};

  /// Standard error of the value; unset where it cannot be told.
  std::optional<double> error() const;
};

/// Standard error of the difference of two sets whose images come from the same seeds row by row;
/// unset unless both have an influence of so many rows.
std::optional<double> paired_error(const DrawnDistance& a, const DrawnDistance& b);

}  // namespace edmund
