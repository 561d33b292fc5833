#include "edmund/evaluation/bootstrap.h"

#include "edmund/core/error.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/kernel_distance.h"
#include "helpers.h"
#include "support/catch.h"

#include <cmath>

using namespace edmund;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using testing::normal_rows;

namespace {

constexpr std::int64_t kDims = 2;
// of the generated distribution: x ~ N(shift, scale² I) against N(0, I)
constexpr double kScale = 1.3, kShift = 0.5;
const double kFrechet = kDims * (kShift * kShift + (kScale - 1) * (kScale - 1));

Tensor generated_rows(std::int64_t count, std::uint64_t seed) {
  return kScale * normal_rows(count, kDims, seed) + kShift;
}

/// E (x·y/D + 1)³ of independent x with coordinates N(m, s²) and y with N(n, t²): of p = x·y the
/// first three moments, from those of a coordinate's product.
double mean_kernel(double m, double s, double n, double t) {
  const auto third = [](double mean, double std) { return mean * mean * mean + 3 * mean * std * std; };
  const double e1 = m * n, e2 = (m * m + s * s) * (n * n + t * t), e3 = third(m, s) * third(n, t), d = kDims;
  const double p1 = d * e1, p2 = d * e2 + d * (d - 1) * e1 * e1,
               p3 = d * e3 + 3 * d * (d - 1) * e2 * e1 + d * (d - 1) * (d - 2) * e1 * e1 * e1;
  return p3 / (d * d * d) + 3 * p2 / (d * d) + 3 * p1 / d + 1;
}
/// For the kernel distance features are small, so that the cubic kernel is near a line: x ~ N(0.3,
/// 0.5² I) against N(0, 0.4² I).
const double kKernel =
    mean_kernel(0.3, 0.5, 0.3, 0.5) + mean_kernel(0, 0.4, 0, 0.4) - 2 * mean_kernel(0.3, 0.5, 0, 0.4);

/// With 200 images a set intervals of the kernel distance held the truth 93.9 % of 5,000 times,
/// with 400 94.6 %: the tests take 400.
/// Share of repetitions whose 95 % interval holds the truth.
template <typename Interval>
double coverage(std::int64_t repetitions, double truth, const Interval& interval) {
  std::int64_t held = 0;
  for (std::int64_t i = 0; i < repetitions; ++i) {
    const BootstrapInterval found = interval(static_cast<std::uint64_t>(i));
    held += found.low <= truth && truth <= found.high;
  }
  return static_cast<double>(held) / static_cast<double>(repetitions);
}

}  // namespace

TEST_CASE("95 % intervals of the Fréchet distance hold the true one 93 to 97 % of 1,000 times", "[evaluation][slow]") {
  const double share = coverage(1000, kFrechet, [](std::uint64_t i) {
    return frechet_interval(generated_rows(400, 10 + 2 * i), normal_rows(400, kDims, 11 + 2 * i),
                            {.resamples = 400, .seed = i});
  });
  INFO("coverage " << share);
  CHECK(share >= 0.93);
  CHECK(share <= 0.97);
}

TEST_CASE("95 % intervals of the kernel distance hold the true one 93 to 97 % of 1,000 times", "[evaluation][slow]") {
  const double share = coverage(1000, kKernel, [](std::uint64_t i) {
    return kernel_interval(0.5 * normal_rows(400, kDims, 10010 + 2 * i) + 0.3,
                           0.4 * normal_rows(400, kDims, 10011 + 2 * i), {.resamples = 400, .seed = i});
  });
  INFO("coverage " << share);
  CHECK(share >= 0.93);
  CHECK(share <= 0.97);
}

TEST_CASE("95 % intervals of a paired difference hold the true one 93 to 97 % of 1,000 times", "[evaluation][slow]") {
  // The second sampler's images are those of the first, shrunk: rows of one seed go together.
  const double ratio = 0.9;
  const double other = kDims * (ratio * ratio * kShift * kShift + (ratio * kScale - 1) * (ratio * kScale - 1));
  double paired = 0, alone = 0;
  const double share = coverage(1000, kFrechet - other, [&](std::uint64_t i) {
    const Tensor a = generated_rows(400, 30010 + 2 * i), real = normal_rows(400, kDims, 30011 + 2 * i);
    const auto found = frechet_difference(a, ratio * a, real, {.resamples = 400, .seed = i});
    paired += found.error;
    if (i < 20) alone += frechet_interval(a, real, {.resamples = 400, .seed = i}).error;
    return found;
  });
  INFO("coverage " << share);
  CHECK(share >= 0.93);
  CHECK(share <= 0.97);
  CHECK(paired / 1000 < 0.5 * alone / 20);  // what pairing is for
}

TEST_CASE("bootstrap values are the distances themselves, errors those of the delta method", "[evaluation]") {
  const Tensor a = normal_rows(300, 5, 1) * 1.2 + 0.3, b = normal_rows(250, 5, 2);
  const auto frechet = frechet_interval(a, b, {.resamples = 2000});
  const Estimate estimate = frechet_estimate(a, b), kernel = kernel_distance(a, b);
  CHECK_THAT(frechet.value, WithinRel(estimate.value, 1e-10));
  // Both are estimates of first order; the bootstrap's own noise is 1/√4000 = 1.6 %.
  CHECK_THAT(frechet.error, WithinRel(estimate.error, 0.1));
  CHECK(frechet.bias > 0);  // finite sets overestimate
  const auto with_kernel = kernel_interval(a, b, {.resamples = 2000});
  CHECK_THAT(with_kernel.value, WithinRel(kernel.value, 1e-10));
  CHECK_THAT(with_kernel.error, WithinRel(kernel.error, 0.1));
  CHECK(with_kernel.bias == 0.0);
}

TEST_CASE("a difference of a set to itself is 0, and a fixed reference takes its share of the error away",
          "[evaluation]") {
  const Tensor a = normal_rows(120, 3, 3) + 0.4, b = normal_rows(100, 3, 4);
  const auto none = kernel_difference(a, a, b, {.resamples = 50});
  CHECK(none.low == 0.0);
  CHECK(none.high == 0.0);
  CHECK(kernel_difference(a, b.repeat({2, 1}).narrow(0, 0, 120), b, {.resamples = 50}).value > 0);
  CHECK(frechet_interval(a, b, {.fixed_real = true}).error < frechet_interval(a, b).error);
  CHECK(frechet_interval(a, b, {.level = 0.5}).high < frechet_interval(a, b).high);
}

TEST_CASE("a real set prepared once gives every set what it gets alone", "[evaluation]") {
  // So many images and features that sums are taken in several tiles.
  const Tensor real = normal_rows(3000, 48, 11), a = normal_rows(400, 48, 12) * 1.1,
               b = a + 0.1 * normal_rows(400, 48, 13);
  const BootstrapSettings settings{.resamples = 140, .seed = 4};
  RealResamples resamples(real, settings);
  const Resampled first = resamples.frechet(a), second = resamples.frechet(b), kernel = resamples.kernel(b);
  CHECK(second.interval(0.95).high == frechet_interval(b, real, settings).high);
  CHECK(difference(second, first).interval(0.95).low == frechet_difference(b, a, real, settings).low);
  CHECK(resamples.frechet(a).values.equal(first.values));
  CHECK(resamples.kernel(b).values.equal(kernel.values));
  CHECK(kernel.interval(0.95).low == kernel_interval(b, real, settings).low);
  CHECK_THAT(first.value, WithinRel(frechet_estimate(a, real).value, 1e-10));
  CHECK_THAT(kernel.value, WithinRel(kernel_distance(b, real).value, 1e-9));
}

TEST_CASE("bootstrap is a function of features and seed", "[evaluation]") {
  const Tensor a = normal_rows(60, 2, 5), b = normal_rows(70, 2, 6);
  CHECK(frechet_interval(a, b, {.seed = 1}).low == frechet_interval(a, b, {.seed = 1}).low);
  CHECK(frechet_interval(a, b, {.seed = 1}).low != frechet_interval(a, b, {.seed = 2}).low);
}

TEST_CASE("bootstrap refuses sets that are too small for it, or unpaired", "[evaluation]") {
  const Tensor a = normal_rows(20, 10, 7), b = normal_rows(50, 10, 8);
  CHECK_THROWS_AS(frechet_interval(a, b), Error);
  CHECK_THROWS_AS(kernel_interval(a.narrow(0, 0, 2), b), Error);
  CHECK_THROWS_AS(kernel_difference(a, b, b), Error);
  CHECK_THROWS_AS(kernel_interval(a, b, {.level = 1.0}), Error);
}

TEST_CASE("the Fréchet distance at infinity is that of the distributions", "[evaluation]") {
  // 24 features of 800 images: the finite set's bias is far beyond its error.
  const std::int64_t dims = 24, count = 800;
  const Tensor mean = at::zeros({dims}, at::kDouble), covariance = at::eye(dims, at::kDouble);
  const Tensor x = normal_rows(count, dims, 9) * 1.1;
  const double truth = static_cast<double>(dims) * 0.1 * 0.1;
  const Estimate plain = frechet_estimate(x, mean, covariance);
  const Extrapolation found = frechet_infinity(x, mean, covariance);
  CHECK(found.sizes.front() == 80);
  CHECK(found.sizes.back() == count);
  CHECK(found.slope > 0);
  CHECK(plain.value - truth > 4 * plain.error);
  CHECK_THAT(found.infinity.value, WithinAbs(truth, 5 * std::hypot(found.infinity.error, plain.error)));
  CHECK_THROWS_AS(frechet_infinity(x, mean, covariance, {.smallest = 800}), Error);
}
