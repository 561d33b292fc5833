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

TEST_CASE("moments without a part are those of the other rows", "[evaluation]") {
  const Tensor x = normal_rows(500, 6, 13) + 100;
  const Moments rest = moments_of(x).without(moments_of(x.narrow(0, 0, 200))), own = moments_of(x.narrow(0, 200, 300));
  CHECK(rest.count() == 300);
  CHECK((rest.mean() - own.mean()).abs().max().item<double>() < 1e-12);
  CHECK((rest.covariance() - own.covariance()).abs().max().item<double>() < 1e-11);
  CHECK_THROWS_AS(own.without(own), Error);
}

TEST_CASE("with no more images than features the error and the bias of a distance are unknown", "[evaluation]") {
  const Tensor mean = at::zeros({8}, at::kDouble), covariance = at::eye(8, at::kDouble);
  const DrawnDistance few = frechet_to(normal_rows(8, 8, 14), mean, covariance),
                      more = frechet_to(normal_rows(9, 8, 14), mean, covariance);
  CHECK_FALSE(few.error().has_value());
  CHECK_FALSE(few.bias.has_value());
  CHECK(std::isfinite(few.value));
  CHECK(more.error().value() > 0);
  CHECK(more.bias.value() > 0);
  CHECK_FALSE(paired_error(few, more).has_value());
}

TEST_CASE("an image's influence is what the distance changes by when it counts a little more", "[evaluation]") {
  const Tensor x = normal_rows(60, 4, 15).mm(covariance_of(4, 16)) + 0.3, target = covariance_of(4, 17);
  const Tensor mean = normal_rows(1, 4, 18)[0];
  const DrawnDistance found = frechet_to(x, mean, target);
  CHECK(std::abs(found.influence.mean().item<double>()) < 1e-12);
  // Moments of weighted rows, the covariance divided by the number as influence functions have it.
  const auto with_weight = [&](std::int64_t row, double more) {
    Tensor weights = at::ones({60}, at::kDouble);
    weights[row] += more;
    weights = weights / weights.sum();
    const Tensor own = weights.matmul(x), centered = x - own;
    return frechet_distance(own, (centered * weights.unsqueeze(1)).t().mm(centered) * (60.0 / 59), mean, target);
  };
  for (const std::int64_t row : {0, 17, 59}) {
    const double slope = 60 * (with_weight(row, 1e-4) - with_weight(row, -1e-4)) / 2e-4;
    CHECK_THAT(found.influence[row].item<double>(), WithinAbs(slope, 0.02 * std::abs(slope) + 0.02));
  }
}

TEST_CASE("a drawn set's distance, less its bias, holds the true one in its 95 % interval, whatever the sizes",
          "[evaluation]") {
  // Gaussians whose distance is known: twenty-fold spread of the variances, as features have it.
  struct Truth {
    double shift, scale;  // of the drawn images: mean shift·σ, covariance scale²·diag(σ²)
  };
  const auto [shift, scale] = GENERATE(Truth{0.0, 1.0}, Truth{0.1, 1.1}, Truth{1.0, 1.3});
  const auto [dims, per_dim] = GENERATE(std::pair{8, 5}, std::pair{8, 50}, std::pair{24, 2}, std::pair{24, 10},
                                        std::pair{64, 2}, std::pair{64, 5});
  const Tensor std = at::linspace(1.0, 0.22, dims, at::kDouble), mean = at::zeros({dims}, at::kDouble);
  const double truth = (shift * shift + (scale - 1) * (scale - 1)) * std.square().sum().item<double>();
  const std::int64_t count = static_cast<std::int64_t>(dims) * per_dim, rounds = 120;
  double value = 0, bias = 0, held = 0;
  std::vector<double> values, errors;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const DrawnDistance found =
        frechet_to((normal_rows(count, dims, 5000 + i) * scale + shift) * std, mean, at::diag(std.square()));
    value += found.value / rounds, bias += found.bias.value() / rounds;
    values.push_back(found.value), errors.push_back(found.error().value());
    held += std::abs(found.value - *found.bias - truth) < 1.96 * errors.back() ? 1.0 / rounds : 0.0;
  }
  const double spread = at::tensor(values, at::kDouble).std().item<double>(),
               error = at::tensor(errors, at::kDouble).mean().item<double>();
  INFO(dims << " features, " << count << " images, true " << truth << ": value " << value << ", bias " << bias
            << ", error " << error << " for a spread of " << spread << ", held " << held);
  // Five standard errors of the mean of the values, and what series of second order leave.
  CHECK_THAT(bias, WithinAbs(value - truth, 5 * spread / std::sqrt(120.0) + 0.08 * (value - truth)));
  // The spread of 120 values is known to 1/√240 = 6.5 %. At distance 0 first order has no spread,
  // and the estimate is up to 1.5 times too large.
  CHECK(error > 0.67 * spread);
  CHECK(error < 1.33 * (shift > 0.5 ? 1.0 : 1.5) * spread);
  CHECK(held >= 0.85);  // of 0.95, five times √(0.95·0.05/120)
}

TEST_CASE("where fixed numbers of each class are drawn, error and bias are those of chance within the classes",
          "[evaluation]") {
  // Three classes as far apart as a classifier's features have them, and each of its own spread.
  constexpr std::int64_t kDims = 12, kCount = 120, kRounds = 150;
  const Tensor centers = 8 * normal_rows(3, kDims, 31), labels = at::arange(kCount, at::kLong).remainder(3);
  const Tensor spreads = at::tensor({0.5, 1.0, 1.5}, at::kDouble);
  const auto drawn = [&](std::int64_t count, std::uint64_t seed, double shift) {
    const Tensor own = at::arange(count, at::kLong).remainder(3);
    return normal_rows(count, kDims, seed) * spreads.index_select(0, own).unsqueeze(1) + centers.index_select(0, own) +
           shift;
  };
  const Moments real(drawn(300'000, 32, 0.0));
  const double truth = frechet_distance(Moments(drawn(300'000, 33, 0.3)), real);
  double value = 0, bias = 0, error = 0, of_chance = 0, at_infinity = 0;
  std::vector<double> values;
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    const Tensor x = drawn(kCount, 6000 + i, 0.3);
    const DrawnDistance found = frechet_to(x, real.mean(), real.covariance(), labels);
    values.push_back(found.value);
    value += found.value / kRounds, bias += found.bias.value() / kRounds, error += found.error().value() / kRounds;
    of_chance += frechet_to(x, real.mean(), real.covariance()).bias.value() / kRounds;
    if (i < 20) at_infinity += frechet_infinity(x, real.mean(), real.covariance(), {}, labels).infinity.value / 20;
  }
  const double spread = at::tensor(values, at::kDouble).std().item<double>();
  INFO("true " << truth << ": value " << value << ", bias " << bias << ", as if classes were drawn by chance "
               << of_chance << ", error " << error << " for a spread of " << spread << ", at infinity " << at_infinity);
  CHECK_THAT(bias, WithinAbs(value - truth, 5 * spread / std::sqrt(1.0 * kRounds) + 0.1 * (value - truth)));
  CHECK_THAT(error, WithinRel(spread, 0.35));
  CHECK(of_chance > 4 * bias);
  CHECK_THAT(at_infinity, WithinAbs(truth, 5 * spread / std::sqrt(20.0) + 0.1 * (value - truth)));
}

TEST_CASE("one class, or none that is told, is chance alone, and classes of one image go together", "[evaluation]") {
  const Tensor x = normal_rows(40, 3, 34), mean = at::zeros({3}, at::kDouble), covariance = at::eye(3, at::kDouble);
  const DrawnDistance plain = frechet_to(x, mean, covariance);
  for (const Tensor& labels : {at::full({40}, 7, at::kLong), at::arange(40, at::kLong)}) {
    const DrawnDistance found = frechet_to(x, mean, covariance, labels);
    CHECK(found.bias == plain.bias);
    CHECK(found.error() == plain.error());
  }
  Tensor labels = at::zeros({40}, at::kLong);
  labels[5] = 3;
  CHECK(rows_by_class(labels, 40).size() == 1);
  labels[6] = 9;
  const auto rows = rows_by_class(labels, 40);
  REQUIRE(rows.size() == 2);
  CHECK(rows.back().equal(at::tensor({5, 6}, at::kLong)));
  const Tensor order = in_proportion(at::arange(40, at::kLong), at::arange(40, at::kLong).remainder(4));
  for (std::int64_t n = 4; n <= 40; n += 4)
    CHECK(at::bincount(order.narrow(0, 0, n).remainder(4)).equal(at::full({4}, n / 4, at::kLong)));
}

TEST_CASE("the error of a paired difference is its spread, far below that of unpaired sets", "[evaluation]") {
  const std::int64_t dims = 4, count = 300;
  const Tensor mean = at::zeros({dims}, at::kDouble), covariance = at::eye(dims, at::kDouble);
  std::vector<double> values;
  double error = 0, alone = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const Tensor x = 1.3 * normal_rows(count, dims, 9000 + i) + 0.5;
    const DrawnDistance a = frechet_to(x, mean, covariance), b = frechet_to(0.9 * x, mean, covariance);
    values.push_back(a.value - b.value);
    error += paired_error(a, b).value() / 200, alone += std::hypot(a.error().value(), b.error().value()) / 200;
  }
  // known to 1/√400 = 5 %: five of them
  CHECK_THAT(error, WithinRel(at::tensor(values, at::kDouble).std().item<double>(), 0.25));
  CHECK(error < 0.5 * alone);
}

TEST_CASE("the Fréchet distance at infinity is that of the distributions", "[evaluation]") {
  // 24 features of 800 images: the finite set's bias is far beyond its error.
  const std::int64_t dims = 24, count = 800;
  const Tensor mean = at::zeros({dims}, at::kDouble), covariance = at::eye(dims, at::kDouble);
  const Tensor x = normal_rows(count, dims, 9) * 1.1;
  const double truth = static_cast<double>(dims) * 0.1 * 0.1;
  const DrawnDistance plain = frechet_to(x, mean, covariance);
  const double error = plain.error().value();
  const Extrapolation found = frechet_infinity(x, mean, covariance);
  CHECK(found.sizes.front() == 80);
  CHECK(found.sizes.back() == count);
  CHECK(found.slope > 0);
  CHECK(plain.value - truth > 4 * error);
  CHECK_THAT(found.infinity.value, WithinAbs(truth, 5 * std::hypot(found.infinity.error, error)));
  CHECK_THROWS_AS(frechet_infinity(x, mean, covariance, {.smallest = 800}), Error);
}
