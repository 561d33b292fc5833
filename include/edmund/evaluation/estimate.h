#pragma once

#include "edmund/core/tensor.h"

#include <span>

namespace edmund {

/// A number and its standard error.
struct Estimate {
  double value = 0.0, error = 0.0;
};

/// Mean of independent values [N] and its standard error. N ≥ 2.
Estimate mean_estimate(const Tensor& values);
/// The same of numbers. The error of a single one is 0.
Estimate mean_estimate(std::span<const double> values);

/// Quantile of Student's t distribution: a mean's error times that of 0.975 is half its 95 %
/// interval. probability in (0, 1), degrees of freedom > 0; infinity: the normal distribution.
double student_quantile(double probability, double freedom);

}  // namespace edmund
