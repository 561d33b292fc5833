#include "exponential.h"

#include <algorithm>
#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund {

double phi(int k, double x) {
  double factorial = 1.0;  // (k-1)! on the way up, k! at the end
  if (std::abs(x) < 1) {
    // Σ x^j/(j+k)!: the recursion would cancel here.
    for (int j = 2; j <= k; ++j) factorial *= j;
    double term = 1 / factorial, sum = 0.0;
    for (int j = 1; j <= 20; ++j) sum += term, term *= x / (j + k);
    return sum;
  }
  double value = std::exp(x);
  for (int j = 1; j <= k; ++j) {
    value = (value - 1 / factorial) / x;
    factorial *= j;
  }
  return value;
}

Tensor runge_kutta_step(const Denoiser& D, const Tensor& z, double sigma, double next, const Tensor& denoised) {
  const double h = std::log(next / sigma), middle = std::sqrt(sigma * next);
  const auto slope = [&](const Tensor& at, double level) { return at - D(at, level); };
  const Tensor k1 = z - denoised, k2 = slope(z + 0.5 * h * k1, middle);
  const Tensor k3 = slope(z + 0.5 * h * k2, middle), k4 = slope(z + h * k3, next);
  return z + (h / 6) * (k1 + 2 * k2 + 2 * k3 + k4);
}

std::int64_t OrderPolicy::at(std::size_t i, std::size_t steps, Final final) const {
  const auto left = static_cast<std::int64_t>(steps - i) + (final == Final::kNone ? 0 : 1);
  const std::int64_t known = std::min(order, static_cast<std::int64_t>(i) + 1);
  return lower_ending ? std::min(known, left) : known;
}

OrderPolicy read_order_policy(Options& options, std::int64_t order) {
  return {.order = order,
          .runge_kutta = options.choice("warm_up", "lower", {"lower", "runge_kutta"}) == "runge_kutta",
          .lower_ending = options.choice("ending", "full", {"full", "lower"}) == "lower"};
}

}  // namespace edmund
