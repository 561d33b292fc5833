#include "edmund/evaluation/estimate.h"

#include "edmund/core/error.h"

#include <ATen/Functions.h>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace edmund {

Estimate mean_estimate(const Tensor& values) {
  require(values.numel() > 1, "a mean with its error needs at least 2 values, found {}", values.numel());
  const Tensor x = values.to(at::kDouble);
  return {.value = x.mean().item<double>(),
          .error = x.std().item<double>() / std::sqrt(static_cast<double>(x.numel()))};
}

Estimate mean_estimate(std::span<const double> values) {
  Estimate out;
  const auto n = static_cast<double>(values.size());
  for (const double value : values) out.value += value / n;
  double squares = 0.0;
  for (const double value : values) squares += (value - out.value) * (value - out.value);
  if (n > 1) out.error = std::sqrt(squares / (n - 1) / n);
  return out;
}

double student_quantile(double probability, double freedom) {
  return boost::math::quantile(boost::math::students_t(freedom), probability);
}

}  // namespace edmund
