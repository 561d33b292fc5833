#include "edmund/evaluation/neighbors.h"

#include "edmund/core/error.h"
#include "edmund/evaluation/inception_score.h"
#include "helpers.h"
#include "support/catch.h"

#include <algorithm>
#include <cmath>

using namespace edmund;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using testing::normal_rows;

namespace {

double distance(const Tensor& a, const Tensor& b) { return (a - b).norm().item<double>(); }

/// Distance to the k-th nearest other row, from a sorted list.
double radius_by_list(const Tensor& x, std::int64_t row, std::int64_t k) {
  std::vector<double> all;
  for (std::int64_t i = 0; i < x.size(0); ++i)
    if (i != row) all.push_back(distance(x[row], x[i]));
  std::sort(all.begin(), all.end());
  return all.at(static_cast<std::size_t>(k - 1));
}

}  // namespace

TEST_CASE("precision, recall, density and coverage are what their definitions count, over more than one block",
          "[evaluation]") {
  const Tensor real = normal_rows(1100, 3, 1) + 100, generated = 0.6 * normal_rows(90, 3, 2) + 100.3;
  const std::int64_t k = 4, few = 151;
  std::vector<double> radii;  // the row itself is the first of the sorted distances
  for (std::int64_t i = 0; i < real.size(0); ++i)
    radii.push_back(std::get<0>((real - real[i]).norm(2, 1).kthvalue(k + 1)).item<double>());
  CHECK_THAT(radii[7], WithinRel(radius_by_list(real, 7, k), 1e-12));
  const Tensor radius = at::tensor(radii, at::kDouble);
  double inside = 0, precise = 0, covered = 0, recalled = 0;
  for (std::int64_t j = 0; j < generated.size(0); ++j) {
    const double count = ((real - generated[j]).norm(2, 1) < radius).sum().item<double>();
    inside += count;
    precise += count > 0;
  }
  for (std::int64_t i = 0; i < real.size(0); ++i)
    covered += (generated - real[i]).norm(2, 1).min().item<double>() < radii[static_cast<std::size_t>(i)];
  for (std::int64_t i = 0; i < few; ++i) {
    bool in = false;
    for (std::int64_t j = 0; j < generated.size(0) && !in; ++j)
      in = distance(generated[j], real[i]) < radius_by_list(generated, j, k);
    recalled += in;
  }
  const auto dc = density_coverage(real, generated, k);
  CHECK_THAT(dc.density, WithinRel(inside / 90 / static_cast<double>(k), 1e-12));
  CHECK_THAT(dc.coverage, WithinRel(covered / 1100, 1e-12));
  CHECK_THAT(precision_recall(real, generated, k).precision, WithinRel(precise / 90, 1e-12));
  CHECK_THAT(precision_recall(real.narrow(0, 0, few), generated, k).recall,
             WithinRel(recalled / static_cast<double>(few), 1e-12));
}

TEST_CASE("equal distributions have precision and recall alike, distant ones none", "[evaluation]") {
  const Tensor a = normal_rows(600, 4, 3), b = normal_rows(600, 4, 4);
  const auto alike = precision_recall(a, b);
  CHECK(alike.precision > 0.85);
  CHECK_THAT(alike.precision, WithinAbs(alike.recall, 0.06));
  const auto apart = precision_recall(a, b + 50);
  CHECK(apart.precision == 0.0);
  CHECK(apart.recall == 0.0);
  CHECK(density_coverage(a, b + 50).coverage == 0.0);
  const auto same = density_coverage(a, b);
  CHECK_THAT(same.density,
             // its expectation for equal distributions (Naeem et al. 2020, sec. 3.2)
             WithinAbs(1.0, 0.1));
  // its expectation tends to 1 - 2^-k; five standard errors of a share of 600
  CHECK_THAT(same.coverage, WithinAbs(1 - std::pow(2.0, -5), 5 * std::sqrt(0.03 / 600)));
}

TEST_CASE("a closed ball holds a point at its radius, an open one does not", "[evaluation]") {
  // Whole numbers around a whole mean: nothing is rounded.
  const Tensor real = at::tensor({-1.0, 0.0, 4.0}, at::kDouble).unsqueeze(1),
               generated = at::tensor({-2.0, -9.0}, at::kDouble).unsqueeze(1);
  CHECK(precision_recall(real, generated, 1, Ball::kClosed).precision == 0.5);
  CHECK(precision_recall(real, generated, 1, Ball::kOpen).precision == 0.0);
}

TEST_CASE("copies of real images are found with their number, at distance 0", "[evaluation]") {
  const Tensor real = normal_rows(1500, 20, 5) + 1000;
  const Tensor rows = at::tensor({1400, 3, 77, 1025});
  const Nearest nearest = nearest_real(real, real.index_select(0, rows));
  CHECK(at::equal(nearest.index, rows));
  CHECK(nearest.distance.max().item<double>() == 0.0);
  CHECK(nearest.copied.all().item<bool>());
  const Nearest far = nearest_real(real, real.narrow(0, 0, 50) + 1000);
  CHECK(!far.copied.any().item<bool>());
}

TEST_CASE("held-out images are as near to real ones as those are to each other", "[evaluation]") {
  const Tensor real = normal_rows(2000, 3, 6), fresh = normal_rows(2000, 3, 7);
  const Nearest a = nearest_real(real, fresh), b = nearest_other(real);
  const Estimate da = mean_estimate(a.distance), db = mean_estimate(b.distance);
  CHECK_THAT(da.value, WithinAbs(db.value, 5 * std::hypot(da.error, db.error)));
  const Estimate ca = mean_estimate(a.copied), cb = mean_estimate(b.copied);
  CHECK_THAT(ca.value, WithinAbs(cb.value, 5 * std::hypot(ca.error, cb.error)));
  // The definition, for one row.
  const std::int64_t i = 11, j = b.index[i].item<std::int64_t>();
  Tensor to_j = (real - real[j]).norm(2, 1);
  to_j[i] = 1e9, to_j[j] = 1e9;
  CHECK(b.copied[i].item<bool>() == (distance(real[i], real[j]) < to_j.min().item<double>()));
}

TEST_CASE("same-seed distance is the root mean square of pixel differences in [-1, 1]", "[evaluation]") {
  const Tensor a = at::full({5, 3, 4, 4}, 100, at::kByte), b = at::full({5, 3, 4, 4}, 151, at::kByte);
  CHECK((paired_distances(a, b) - 51 / 127.5).abs().max().item<double>() < 1e-14);
  CHECK(paired_distances(a, a).max().item<double>() == 0.0);
  CHECK_THROWS_AS(paired_distances(a, b.narrow(0, 0, 4)), Error);
}

TEST_CASE("the class score is 1 for one answer and the number of classes for sure and even ones", "[evaluation]") {
  const Tensor sure = 1000 * at::eye(6, at::kDouble).repeat({5, 1}), same = at::ones({30, 6}, at::kDouble);
  CHECK_THAT(inception_score(sure, 1).mean, WithinRel(6.0, 1e-12));
  CHECK_THAT(inception_score(same, 3).mean, WithinRel(1.0, 1e-12));
  CHECK(inception_score(same, 3).std < 1e-12);
  CHECK_THROWS_AS(inception_score(same, 31), Error);
}

TEST_CASE("neighbors refuse too few images and features that are not finite", "[evaluation]") {
  Tensor x = normal_rows(5, 2, 8);
  CHECK_THROWS_AS(precision_recall(x, normal_rows(9, 2, 9), 5), Error);
  CHECK_THROWS_AS(nearest_other(x.narrow(0, 0, 2)), Error);
  x[0][0] = std::nan("");
  CHECK_THROWS_AS(density_coverage(x, x, 1), Error);
}
