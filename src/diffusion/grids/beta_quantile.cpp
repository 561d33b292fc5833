#include "beta_quantile.h"

#include <cmath>

namespace edmund::grids {
namespace {

// The continued fraction of I_x(a, b) (DLMF 8.17.22) by Lentz's method; it converges fast for x
// below (a + 1)/(a + b + 2).
double continued_fraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  const auto nonzero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double C = 1.0, D = 1 / nonzero(1 - (a + b) * x / (a + 1)), f = D;
  for (int m = 1; m < 1000; ++m) {
    const double k = m, even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k)),
                 odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1));
    for (const double d : {even, odd}) {
      D = 1 / nonzero(1 + d * D);
      C = nonzero(1 + d / C);
      f *= C * D;
    }
    if (std::abs(C * D - 1) < 1e-16) break;
  }
  return f;
}

// Regularized incomplete beta function I_x(a, b): the distribution function.
double incomplete_beta(double x, double a, double b) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0.0 : 1.0;
  const double front = std::exp(a * std::log(x) + b * std::log1p(-x)) / std::beta(a, b);
  if (x < (a + 1) / (a + b + 2)) return front * continued_fraction(x, a, b) / a;
  return 1 - front * continued_fraction(1 - x, b, a) / b;
}

}  // namespace

double beta_quantile(double a, double b, double p) {
  if (p <= 0 || p >= 1) return p <= 0 ? 0.0 : 1.0;
  // Bisection: the slope has no bound at the ends.
  double low = 0.0, high = 1.0;
  for (int i = 0; i < 80 && low < high; ++i) {
    const double middle = 0.5 * (low + high);
    (incomplete_beta(middle, a, b) < p ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace edmund::grids
