#include "edmund/data/resize.h"

#include <algorithm>
#include <cmath>

namespace edmund {
namespace {

double triangle(double x) { return std::max(1 - std::abs(x), 0.0); }

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

}  // namespace

std::vector<Taps> taps(std::int64_t in, std::int64_t out, Kernel kernel) {
  const double support = kernel == Kernel::kBilinear ? 1.0 : 2.0;
  const double scale = static_cast<double>(in) / static_cast<double>(out), stretch = std::max(scale, 1.0);
  std::vector<Taps> all(static_cast<std::size_t>(out));
  for (std::int64_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale, reach = support * stretch;
    Taps& own = all[static_cast<std::size_t>(i)];
    own.first = std::max<std::int64_t>(static_cast<std::int64_t>(center - reach + 0.5), 0);
    const auto last = std::min(static_cast<std::int64_t>(center + reach + 0.5), in);
    double sum = 0;
    for (std::int64_t j = own.first; j < last; ++j) {
      const double x = (static_cast<double>(j) - center + 0.5) / stretch;
      own.weights.push_back(kernel == Kernel::kBilinear ? triangle(x) : cubic(x));
      sum += own.weights.back();
    }
    for (double& weight : own.weights) weight /= sum;
  }
  return all;
}

}  // namespace edmund
