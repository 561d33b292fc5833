// The embedded Runge-Kutta pair 5(4) of Dormand & Prince 1980 with the step control of Hairer,
// Nørsett & Wanner 1993.
#include "edmund/samplers/dormand_prince.h"

#include "edmund/core/error.h"
#include "edmund/ops/sum.h"

#include <algorithm>
#include <array>
#include <ATen/ops/maximum.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <limits>
#include <utility>

namespace edmund {
namespace {

// Dormand & Prince 1980, table 2. The last row of a is the fifth-order solution; its slope is the
// first of the next step.
constexpr std::array<double, 6> kC = {1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1.0, 1.0};
constexpr std::array<std::array<double, 6>, 6> kA = {{
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0.0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},
}};
// Fifth-order weights less the fourth-order ones.
constexpr std::array<double, 7> kError = {71.0 / 57600,      0.0,        -71.0 / 16695, 71.0 / 1920,
                                          -17253.0 / 339200, 22.0 / 525, -1.0 / 40};

// Largest root mean square of a row of values / scale.
double worst_row(const Tensor& values, const Tensor& scale) {
  return (values / scale).square().mean(1).max().sqrt().item<double>();
}

// |h| of the first step (Hairer, Nørsett & Wanner 1993, II.4): an Euler step's look at the second
// derivative.
double first_step(const Slope& slope, const Tensor& y, const Tensor& k, double from, double to,
                  const Tolerance& tolerance) {
  const double length = std::abs(to - from), sign = to > from ? 1.0 : -1.0;
  const Tensor scale = tolerance.absolute + tolerance.relative * y.abs();
  const double d0 = worst_row(y, scale), d1 = worst_row(k, scale);
  const double h0 = std::min(d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1, length);
  const Tensor next = slope(from + sign * h0, y + (sign * h0) * k);
  const double d2 = worst_row(next - k, scale) / h0;
  const double h1 = d1 <= 1e-15 && d2 <= 1e-15 ? std::max(1e-6, 1e-3 * h0) : std::pow(0.01 / std::max(d1, d2), 0.2);
  return std::min({100 * h0, h1, length});
}

}  // namespace

DormandPrinceStep dormand_prince_step(const Slope& slope, double t, double h, const Tensor& y,
                                      const Tensor& slope_at_t) {
  std::array<Tensor, 7> k{slope_at_t};
  Tensor stage;
  ops::Sum error = h * kError[0] * ops::Sum(slope_at_t);
  for (std::size_t i = 0; i < kA.size(); ++i) {
    ops::Sum sum = y;
    for (std::size_t j = 0; j <= i; ++j)
      if (kA[i][j] != 0) sum += h * kA[i][j] * ops::Sum(k[j]);
    stage = sum;
    k[i + 1] = slope(t + kC[i] * h, stage);
    if (kError[i + 1] != 0) error += h * kError[i + 1] * ops::Sum(k[i + 1]);
  }
  return {stage, error, k[6]};  // the last stage is the step
}

Solution dormand_prince(const Slope& slope, Tensor y, double from, double to, const Tolerance& tolerance) {
  if (from == to) return {.y = std::move(y)};
  Solution out;
  Tensor k = slope(from, y);
  const double sign = to > from ? 1.0 : -1.0;
  double t = from, h = first_step(slope, y, k, from, to, tolerance);  // h > 0
  out.evaluations = 2;
  for (bool rejected = false; t != to;) {
    require(out.accepted + out.rejected < tolerance.most_steps,
            "rk45: {} steps did not reach the end; t = {} of {} to {}", tolerance.most_steps, t, from, to);
    require(h >= 10 * (std::nextafter(std::abs(t), std::numeric_limits<double>::infinity()) - std::abs(t)),
            "rk45: the step at t = {} fell below the spacing of numbers: the tolerance {} is out of reach", t,
            tolerance.relative);
    const double u = (to - t) * sign <= h ? to : t + sign * h, step = u - t;
    const auto [next, wrong, last] = dormand_prince_step(slope, t, step, y, k);
    out.evaluations += 6;
    const double error = worst_row(wrong, tolerance.absolute + tolerance.relative * at::maximum(y.abs(), next.abs()));
    require(std::isfinite(error), "rk45: values are not finite between t = {} and {}", t, u);
    const double factor = error == 0 ? 10 : std::clamp(0.9 * std::pow(error, -0.2), 0.2, 10.0);
    h = std::abs(step);
    if (error < 1) {
      h *= rejected ? std::min(1.0, factor) : factor;
      t = u;
      y = next;
      k = last;
      rejected = false;
      ++out.accepted;
    } else {
      h *= std::min(1.0, factor);
      rejected = true;
      ++out.rejected;
    }
  }
  out.y = std::move(y);
  return out;
}

}  // namespace edmund
