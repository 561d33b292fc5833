#include "edmund/evaluation/frechet.h"

#include "edmund/core/error.h"
#include "helpers.h"
#include "support/catch.h"

#include <cmath>

using namespace edmund;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using testing::normal_rows;

namespace {

Moments moments_of(const Tensor& features) {
  Moments moments;
  moments.add(features);
  return moments;
}

/// A positive definite matrix.
Tensor covariance_of(std::int64_t dims, std::uint64_t seed) {
  const Tensor root = normal_rows(dims, dims, seed);
  return root.mm(root.t()) / static_cast<double>(dims) + 0.1 * at::eye(dims, at::kDouble);
}

}  // namespace

TEST_CASE("the distance of Gaussians with diagonal covariances is that of their standard deviations", "[evaluation]") {
  const Tensor a = at::tensor({1.0, 4.0, 0.0, 9.0}, at::kDouble), b = at::tensor({4.0, 4.0, 1.0, 0.0}, at::kDouble);
  const Tensor mean = at::tensor({3.0, 0.0, 0.0, 4.0}, at::kDouble);
  // |μ|² = 25; (1-2)² + 0 + 1² + 3² = 11
  CHECK_THAT(frechet_distance(at::zeros({4}, at::kDouble), at::diag(a), mean, at::diag(b)), WithinRel(36.0, 1e-14));
}

TEST_CASE("the distance to a linear image T(x) of a Gaussian is E|x - T(x)|^2 for positive definite T",
          "[evaluation]") {
  const std::int64_t dims = 7;
  const Tensor covariance = covariance_of(dims, 1), T = covariance_of(dims, 2), mean = normal_rows(1, dims, 3)[0];
  const Tensor image_mean = T.mv(mean), image = T.mm(covariance).mm(T);
  const Tensor rest = at::eye(dims, at::kDouble) - T;
  const double expected =
      (mean - image_mean).square().sum().item<double>() + rest.mm(covariance).mm(rest).trace().item<double>();
  CHECK_THAT(frechet_distance(mean, covariance, image_mean, image), WithinRel(expected, 1e-12));
  CHECK_THAT(frechet_distance(image_mean, image, mean, covariance), WithinRel(expected, 1e-12));
}

TEST_CASE("identical sets have distance 0, with fewer images than dimensions too", "[evaluation]") {
  const auto count = GENERATE(5, 20, 400);
  const Tensor x = normal_rows(count, 40, 4).mm(covariance_of(40, 5));
  const Moments a = moments_of(x), b = moments_of(x.flip({0}));
  CHECK(frechet_distance(a, b) <= 1e-12 * a.covariance().trace().item<double>());
}

TEST_CASE("a shift adds its square to the distance", "[evaluation]") {
  const auto count = GENERATE(5, 100);
  const Tensor x = normal_rows(count, 12, 6), d = normal_rows(1, 12, 7)[0];
  CHECK_THAT(frechet_distance(moments_of(x), moments_of(x + d)), WithinRel(d.square().sum().item<double>(), 1e-12));
}

TEST_CASE("a feature that is always 0 changes nothing, however ill-conditioned the others are", "[evaluation]") {
  // standard deviations from 1 down to 60^-power: 2e-11
  const auto power = GENERATE(0.0, 1.0, 2.0, 4.0, 6.0);
  const std::int64_t dims = 60;
  const Tensor scales = at::arange(1, dims + 1, at::kDouble).pow(-power), turn = covariance_of(dims, 20);
  const Tensor x = (normal_rows(200, dims, 21) * scales).mm(turn), y = (normal_rows(300, dims, 22) * scales).mm(turn);
  const auto with_zero = [](const Tensor& z) { return at::cat({z, at::zeros({z.size(0), 1}, at::kDouble)}, 1); };
  const Moments a = moments_of(x), b = moments_of(y);
  const double plain = frechet_distance(a, b),
               more = frechet_distance(moments_of(with_zero(x)), moments_of(with_zero(y)));
  CHECK_THAT(more, WithinAbs(plain, 1e-11 * a.covariance().trace().item<double>()));
}

TEST_CASE("with fewer images than dimensions the root's trace is the nuclear norm of the centered features' product",
          "[evaluation]") {
  const Tensor x = normal_rows(30, 64, 8) * 3, y = normal_rows(20, 64, 9) + 1;
  const Tensor xc = x - x.mean(0), yc = y - y.mean(0);
  const double root = at::linalg_svdvals(xc.mm(yc.t())).sum().item<double>() / std::sqrt(29.0 * 19.0);
  const double expected = (x.mean(0) - y.mean(0)).square().sum().item<double>() +
                          xc.square().sum().item<double>() / 29 + yc.square().sum().item<double>() / 19 - 2 * root;
  CHECK_THAT(frechet_distance(moments_of(x), moments_of(y)), WithinRel(expected, 1e-12));
}

TEST_CASE("moments do not depend on how features are divided, nor lose digits far from zero", "[evaluation]") {
  const Tensor x = normal_rows(1000, 6, 10) + 1e6;
  Moments parts;
  for (const auto& part : x.split_with_sizes({1, 299, 0, 500, 200})) parts.add(part);
  const Tensor centered = x - x.mean(0), covariance = centered.t().mm(centered) / 999;
  CHECK(parts.count() == 1000);
  CHECK(((parts.mean() - x.mean(0)).abs().max() / 1e6).item<double>() < 1e-14);
  // x itself is rounded to 1e-10
  CHECK((parts.covariance() - covariance).abs().max().item<double>() < 1e-8);
  const Tensor near = x - 1e6;  // exact
  CHECK((parts.covariance() - moments_of(near).covariance()).abs().max().item<double>() < 1e-8);
}

TEST_CASE("moments of float32 features are taken in float64", "[evaluation]") {
  const Tensor x = (normal_rows(500, 4, 11) + 1000).to(at::kFloat);
  CHECK((moments_of(x).covariance() - moments_of(x.to(at::kDouble)).covariance()).abs().max().item<double>() == 0);
}

TEST_CASE("distances refuse features that are not finite and sets that are too small", "[evaluation]") {
  Tensor x = normal_rows(10, 3, 12);
  const Moments fine = moments_of(x);
  x[3][1] = std::nan("");
  CHECK_THROWS_AS(frechet_distance(moments_of(x), fine), Error);
  CHECK_THROWS_AS(frechet_distance(moments_of(x.narrow(0, 0, 1)), fine), Error);
  CHECK_THROWS_AS(Moments().mean(), Error);
}

TEST_CASE("the distance's standard error is the spread over independent sets", "[evaluation]") {
  const std::int64_t dims = 4, n = 400, m = 600, rounds = 300;
  const Tensor ra = covariance_of(dims, 13), rb = covariance_of(dims, 14);
  std::vector<double> values, errors;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const auto estimate =
        frechet_estimate(normal_rows(n, dims, 1000 + 2 * i).mm(ra), normal_rows(m, dims, 1001 + 2 * i).mm(rb) + 0.3);
    values.push_back(estimate.value);
    errors.push_back(estimate.error);
  }
  const double spread = at::tensor(values, at::kDouble).std().item<double>(),
               error = at::tensor(errors, at::kDouble).mean().item<double>();
  // The spread of 300 values is known to 1/√600 = 4 %: five of them.
  CHECK_THAT(error, WithinRel(spread, 0.2));
}
