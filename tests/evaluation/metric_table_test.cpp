// What every metric of the table is held to, on features that need no images.
#include "edmund/core/error.h"
#include "edmund/evaluation/metrics.h"
#include "helpers.h"
#include "support/catch.h"

#include <algorithm>
#include <cmath>

using namespace edmund;
using testing::normal_rows;

namespace {

constexpr std::int64_t kDims = 6;

// Features that are the logits of as many classes.
class Logits final : public FeatureExtractor {
 public:
  std::string name() const override { return "logits"; }
  Tensor extract(const Tensor& images) const override { return images; }
  std::optional<Tensor> logits(const Tensor& features) const override { return features; }
};
const Logits kFeatures;

// Six clusters, one a class; and, as noise, one cluster far from them that is of no class.
Tensor real_rows(std::int64_t count, std::uint64_t seed) {
  return 6 * at::eye(kDims, at::kDouble).index_select(0, at::arange(count).remainder(kDims)) +
         0.5 * normal_rows(count, kDims, seed);
}
Tensor noise_rows(std::int64_t count, std::uint64_t seed) { return 3 + 0.5 * normal_rows(count, kDims, seed); }

MetricInput input(const Tensor& real, const Tensor& generated) {
  return {.features = kFeatures, .real = real, .noise = noise_rows(real.size(0) / 2, 9), .generated = generated};
}

const MetricEntry& any_metric() {
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < metric_table().size(); ++i) rows.push_back(i);
  return metric_table()[GENERATE_COPY(from_range(rows))];
}

bool same(const std::vector<Score>& a, const std::vector<Score>& b, double factor, double tolerance) {
  return std::ranges::equal(a, b, [&](const Score& x, const Score& y) {
    return x.name == y.name && std::abs(factor * x.value - y.value) <= tolerance * std::abs(y.value);
  });
}

}  // namespace

TEST_CASE("the metrics have names of their own, in order, a description and a source", "[evaluation]") {
  CHECK(std::ranges::is_sorted(metric_table(), std::ranges::less_equal(), &MetricEntry::name));
  for (const auto& entry : metric_table()) {
    INFO(entry.name);
    CHECK(!entry.about.empty());
    CHECK(!entry.source.empty());
  }
}

TEST_CASE("a metric ranks other real images, a half of noise, and noise", "[evaluation]") {
  const MetricEntry& metric = any_metric();
  const Tensor real = real_rows(600, 1), fresh = real_rows(300, 2), noise = noise_rows(300, 3);
  const Tensor half = at::cat({fresh.narrow(0, 0, 150), noise.narrow(0, 0, 150)});
  const auto good = metric.make(input(real, fresh)), middle = metric.make(input(real, half)),
             bad = metric.make(input(real, noise));
  REQUIRE(!good.empty());
  for (std::size_t i = 0; i < good.size(); ++i) {
    INFO(good[i].name << ": " << good[i].closed().value() << ", " << middle[i].closed().value() << ", "
                      << bad[i].closed().value());
    CHECK(good[i].floor != good[i].ceiling);
    CHECK(good[i].error.value_or(0.0) >= 0);
    CHECK(good[i].of.images > 0);
    CHECK(good[i].floor_of.images > 0);
    CHECK_FALSE(good[i].estimator.empty());
    CHECK(std::abs(good[i].closed().value() - 1) < 0.25);
    CHECK(middle[i].closed().value() < good[i].closed().value() + 0.05);
    CHECK(middle[i].closed().value() > bad[i].closed().value() - 0.05);
    CHECK(std::abs(bad[i].closed().value()) < 0.25);
  }
}

TEST_CASE("a metric takes copies of the real images for real ones", "[evaluation]") {
  const MetricEntry& metric = any_metric();
  const Tensor real = real_rows(300, 4);
  for (const Score& score : metric.make(input(real, real))) {
    INFO(score.name << ": " << score.value << ", floor " << score.floor << ", ceiling " << score.ceiling);
    CHECK(score.closed().value() > 0.9);
  }
}

TEST_CASE("a metric gives the same scores again, and as its row says of its symmetry and scale", "[evaluation]") {
  const MetricEntry& metric = any_metric();
  const Tensor real = real_rows(200, 5), generated = real_rows(200, 6) + 0.3;
  const auto scores = metric.make(input(real, generated));
  INFO(metric.name);
  CHECK(same(scores, metric.make(input(real, generated)), 1.0, 0.0));
  if (metric.symmetric) CHECK(same(scores, metric.make(input(generated, real)), 1.0, 1e-9));
  if (metric.degree)
    CHECK(same(scores, metric.make(input(2 * real, 2 * generated)), std::pow(2.0, *metric.degree), 1e-9));
}

TEST_CASE("a metric of very few images is finite, or refused in one line", "[evaluation]") {
  const MetricEntry& metric = any_metric();
  for (const std::int64_t generated : {2, 3, 5, 12})
    for (const std::int64_t real : {4, 5, 12}) {
      INFO(metric.name << ": " << generated << " generated, " << real << " real");
      try {
        for (const Score& score : metric.make(input(real_rows(real, 7), real_rows(generated, 8)))) {
          INFO(score.name);
          CHECK(std::isfinite(score.value));
          CHECK(std::isfinite(score.error.value_or(0.0)));
        }
      } catch (const Error& refused) {
        CHECK(std::string_view(refused.what()).find('\n') == std::string_view::npos);
      }
    }
}
