#include "edmund/evaluation/kernel_distance.h"

#include "edmund/core/error.h"
#include "helpers.h"
#include "support/catch.h"

#include <cmath>

using namespace edmund;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using testing::normal_rows;

namespace {

/// The definition, pair by pair.
double by_pairs(const Tensor& a, const Tensor& b) {
  const auto kernel = [](const Tensor& x, const Tensor& y) {
    return std::pow(x.dot(y).item<double>() / static_cast<double>(x.numel()) + 1, 3);
  };
  double aa = 0, bb = 0, ab = 0;
  const auto n = a.size(0), m = b.size(0);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) aa += i == j ? 0 : kernel(a[i], a[j]);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < m; ++j) bb += i == j ? 0 : kernel(b[i], b[j]);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < m; ++j) ab += kernel(a[i], b[j]);
  return aa / static_cast<double>(n * (n - 1)) + bb / static_cast<double>(m * (m - 1)) -
         2 * ab / static_cast<double>(n * m);
}

Tensor without(const Tensor& x, std::int64_t row) {
  return at::cat({x.narrow(0, 0, row), x.narrow(0, row + 1, x.size(0) - row - 1)});
}

}  // namespace

TEST_CASE("the kernel distance is the sum over pairs of its definition", "[evaluation]") {
  const Tensor a = normal_rows(13, 5, 1), b = 1.5 * normal_rows(9, 5, 2) + 0.5;
  CHECK_THAT(kernel_distance(a, b).value, WithinRel(by_pairs(a, b), 1e-12));
}

TEST_CASE("the kernel distance's error is the jackknife's over the drawn images", "[evaluation]") {
  const Tensor a = normal_rows(7, 3, 3), b = normal_rows(5, 3, 4) + 1;
  std::vector<double> left_out;
  for (std::int64_t i = 0; i < 7; ++i) left_out.push_back(by_pairs(without(a, i), b));
  const Tensor values = at::tensor(left_out, at::kDouble);
  const double variance = 6.0 / 7 * (values - values.mean()).square().sum().item<double>();
  const DrawnDistance found = kernel_distance(a, b);
  CHECK_THAT(found.error().value(), WithinRel(std::sqrt(variance), 1e-10));
  CHECK(found.bias == 0.0);
  // An image that counts more makes the distance greater where leaving it out makes it smaller.
  CHECK((found.influence * (found.value - values)).sum().item<double>() > 0);
  CHECK_FALSE(kernel_distance(a.narrow(0, 0, 2), b).error().has_value());
}

TEST_CASE("95 % intervals of the kernel distance hold that of the distributions to the same real images",
          "[evaluation]") {
  // E over drawn x given the real set: from a drawn set twenty times as large.
  const Tensor real = 0.4 * normal_rows(100, 2, 40);
  const auto drawn = [](std::int64_t count, std::uint64_t seed) { return 0.5 * normal_rows(count, 2, seed) + 0.3; };
  const double truth = kernel_distance(drawn(4000, 41), real).value;
  double held = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const DrawnDistance found = kernel_distance(drawn(200, 50 + i), real);
    held += std::abs(found.value - truth) < 1.96 * found.error().value() ? 1.0 / 200 : 0.0;
  }
  CHECK(held >= 0.87);  // of 0.95, five times √(0.95·0.05/200)
  CHECK(held < 1.0);
}

TEST_CASE("the kernel distance of equal distributions is 0 on average, whatever the sizes", "[evaluation]") {
  std::vector<double> values;
  for (std::uint64_t i = 0; i < 200; ++i)
    values.push_back(kernel_distance(normal_rows(20, 4, 100 + 2 * i), normal_rows(30, 4, 101 + 2 * i)).value);
  const Tensor all = at::tensor(values, at::kDouble);
  CHECK(std::abs(all.mean().item<double>()) < 5 * all.std().item<double>() / std::sqrt(200.0));
}

TEST_CASE("blocks do not change the kernel distance", "[evaluation]") {
  const Tensor a = normal_rows(1500, 3, 9), b = normal_rows(1100, 3, 10) + 0.2;
  const Tensor k = (a.mm(a.t()) / 3 + 1).pow(3), l = (b.mm(b.t()) / 3 + 1).pow(3), c = (a.mm(b.t()) / 3 + 1).pow(3);
  const auto sum = [](const Tensor& x) { return x.sum().item<double>(); };
  const double expected = (sum(k) - sum(k.diag())) / (1500.0 * 1499) + (sum(l) - sum(l.diag())) / (1100.0 * 1099) -
                          2 * sum(c) / (1500.0 * 1100);
  CHECK_THAT(kernel_distance(a, b).value, WithinRel(expected, 1e-9));
}

TEST_CASE("the kernel distance refuses single images and values that are not finite", "[evaluation]") {
  const Tensor a = normal_rows(5, 3, 11);
  CHECK_THROWS_AS(kernel_distance(a.narrow(0, 0, 1), a), Error);
  CHECK_THROWS_AS(kernel_distance(a, a / 0.0), Error);
}
