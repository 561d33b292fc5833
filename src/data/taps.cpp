#include "edmund/data/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edmund {
namespace {

double triangle(double x) { return std::max(1 - std::abs(x), 0.0); }

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double sinc(double x) {
  if (x == 0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0.0; }

struct Shape {
  double reach;
  double (*value)(double x);
};

Shape shape_of(Kernel kernel) {
  switch (kernel) {
    case Kernel::kBox: return {0.5, box};
    case Kernel::kBilinear: return {1.0, triangle};
    case Kernel::kBicubic: return {2.0, cubic};
    default: return {3.0, lanczos};
  }
}

}  // namespace

std::vector<Taps> taps(std::int64_t in, std::int64_t out, Kernel kernel) {
  const auto [support, value] = shape_of(kernel);
  const double scale = static_cast<double>(in) / static_cast<double>(out), stretch = std::max(scale, 1.0);
  std::vector<Taps> all(static_cast<std::size_t>(out));
  for (std::int64_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale, reach = support * stretch;
    Taps& own = all[static_cast<std::size_t>(i)];
    own.first = std::max<std::int64_t>(static_cast<std::int64_t>(center - reach + 0.5), 0);
    const auto last = std::min(static_cast<std::int64_t>(center + reach + 0.5), in);
    double sum = 0;
    for (std::int64_t j = own.first; j < last; ++j) {
      own.weights.push_back(value((static_cast<double>(j) - center + 0.5) * (1.0 / stretch)));
      sum += own.weights.back();
    }
    for (double& weight : own.weights) weight /= sum;
  }
  return all;
}

}  // namespace edmund
