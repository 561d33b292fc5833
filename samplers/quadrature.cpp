#include "quadrature.h"

#include <array>
#include <cmath>
#include <utility>

namespace edmund {
namespace {

double gauss(const std::function<double(double)>& f, double a, double b) {
  constexpr std::array<std::pair<double, double>, 5> kNodes{{{0.1488743389816312, 0.2955242247147529},
                                                             {0.4333953941292472, 0.2692667193099964},
                                                             {0.6794095682990244, 0.2190863625159820},
                                                             {0.8650633666889845, 0.1494513491505806},
                                                             {0.9739065285171717, 0.0666713443086881}}};
  const double half = 0.5 * (b - a), middle = 0.5 * (a + b);
  double sum = 0.0;
  for (const auto& [x, w] : kNodes) sum += w * (f(middle - half * x) + f(middle + half * x));
  return half * sum;
}

double bisected(const std::function<double(double)>& f, double a, double b, double whole, double allowed, int depth) {
  const double middle = 0.5 * (a + b), left = gauss(f, a, middle), right = gauss(f, middle, b);
  if (depth == 0 || std::abs(left + right - whole) <= allowed) return left + right;
  return bisected(f, a, middle, left, allowed, depth - 1) + bisected(f, middle, b, right, allowed, depth - 1);
}

}  // namespace

double phi(int k, double x) {
  double factorial = 1.0;  // (k-1)! on the way up, k! at the end
  if (k > 0 && std::abs(x) < 3) {
    // Σ x^j/(j+k)!: the recursion would cancel here, the more the higher k is.
    for (int j = 2; j <= k; ++j) factorial *= j;
    double term = 1 / factorial, sum = 0.0;
    for (int j = 1; j <= 40; ++j) sum += term, term *= x / (j + k);
    return sum;
  }
  double value = std::exp(x);
  for (int j = 1; j <= k; ++j) {
    value = (value - 1 / factorial) / x;
    factorial *= j;
  }
  return value;
}

std::vector<double> quadrature_weights(const std::vector<double>& nodes, std::vector<double> moments) {
  // Björck & Pereyra 1970, algorithm for the primal Vandermonde system.
  const std::size_t n = nodes.size();
  if (n == 0) return moments;
  for (std::size_t k = 0; k + 1 < n; ++k)
    for (std::size_t i = n - 1; i > k; --i) moments[i] -= nodes[k] * moments[i - 1];
  for (std::size_t k = n - 1; k-- > 0;) {
    for (std::size_t i = k + 1; i < n; ++i) moments[i] /= nodes[i] - nodes[i - k - 1];
    for (std::size_t i = k; i + 1 < n; ++i) moments[i] -= moments[i + 1];
  }
  return moments;
}

double integral(const std::function<double(double)>& f, double a, double b) {
  const double whole = gauss(f, a, b);
  return bisected(f, a, b, whole, 1e-14 * std::abs(whole), 40);
}

}  // namespace edmund
