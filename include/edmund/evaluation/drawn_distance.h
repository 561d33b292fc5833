#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <optional>
#include <vector>

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

/// Rows of a set whose labels are int64 [N] (undefined: all are of one class), class by class:
/// images are drawn in fixed numbers of each class, so that chance acts within the classes alone.
/// Classes of a single image are taken together.
std::vector<Tensor> rows_by_class(const Tensor& labels, std::int64_t count);

/// `order`, int64 [N], such that each beginning of it has the classes in proportion; within a class
/// as it was. Undefined labels: as it is.
Tensor in_proportion(const Tensor& order, const Tensor& labels);

/// An influence [N] less its mean within each class, scaled so that its error() is that of images
/// drawn in fixed numbers of each.
Tensor within_classes(const Tensor& influence, const Tensor& labels);

/// Standard error of the difference of two sets whose images come from the same seeds row by row;
/// unset unless both have an influence of so many rows.
std::optional<double> paired_error(const DrawnDistance& a, const DrawnDistance& b);

}  // namespace edmund
