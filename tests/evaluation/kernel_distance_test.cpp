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

TEST_CASE("the kernel distance's error is the two-sample jackknife's", "[evaluation]") {
  const Tensor a = normal_rows(7, 3, 3), b = normal_rows(5, 3, 4) + 1;
  double variance = 0;
  for (const bool first : {true, false}) {
    const auto n = (first ? a : b).size(0);
    std::vector<double> left_out;
    for (std::int64_t i = 0; i < n; ++i)
      left_out.push_back(first ? by_pairs(without(a, i), b) : by_pairs(a, without(b, i)));
    const Tensor values = at::tensor(left_out, at::kDouble);
    variance +=
        static_cast<double>(n - 1) / static_cast<double>(n) * (values - values.mean()).square().sum().item<double>();
  }
  CHECK_THAT(kernel_distance(a, b).error, WithinRel(std::sqrt(variance), 1e-10));
}

TEST_CASE("the kernel distance of equal distributions is 0 on average, whatever the sizes", "[evaluation]") {
  std::vector<double> values;
  for (std::uint64_t i = 0; i < 200; ++i)
    values.push_back(kernel_distance(normal_rows(20, 4, 100 + 2 * i), normal_rows(30, 4, 101 + 2 * i)).value);
  const Tensor all = at::tensor(values, at::kDouble);
  CHECK(std::abs(all.mean().item<double>()) < 5 * all.std().item<double>() / std::sqrt(200.0));
}

TEST_CASE("subsets estimate the same kernel distance, repeatably", "[evaluation]") {
  const Tensor a = normal_rows(600, 4, 5), b = normal_rows(500, 4, 6) + 0.5;
  const Estimate whole = kernel_distance(a, b), some = kernel_distance(a, b, 50, 100, 7),
                 again = kernel_distance(a, b, 50, 100, 7);
  CHECK(some.value == again.value);
  CHECK(some.error == again.error);
  CHECK(some.value != kernel_distance(a, b, 50, 100, 8).value);
  CHECK(std::abs(some.value - whole.value) < 5 * std::hypot(some.error, whole.error));
  CHECK(kernel_distance(a, b, 1, 1000, 7).value != whole.value);  // one subset of 500 of a's 600
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
