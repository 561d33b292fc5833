// precision_recall, density_coverage, nearest, inception_score: where single images lie among the
// others.

#include "edmund/core/error.h"
#include "edmund/evaluation/estimate.h"
#include "edmund/evaluation/inception_score.h"
#include "edmund/evaluation/metrics.h"
#include "edmund/evaluation/neighbors.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <utility>

namespace edmund {
namespace {

constexpr std::int64_t kPrecisionNeighbors = 3;  // Kynkäänniemi et al. 2019, sec. 3.1
constexpr std::int64_t kDensityNeighbors = 5;    // Naeem et al. 2020, sec. 4
constexpr std::int64_t kSplits = 10;             // Salimans et al. 2016

constexpr const char* kEqual = "of sets of one size";

/// Standard error of a share of n.
double binomial(double share, std::int64_t n) {
  return std::sqrt(std::max(share * (1 - share), 0.0) / static_cast<double>(n));
}

std::string named(const char* metric, const MetricInput& input) {
  return format("{} ({}, {}-d)", metric, input.features.name(), input.real.size(1));
}

EqualSets sets_above(const MetricInput& input, std::int64_t k, std::string_view metric) {
  EqualSets sets = equal_sets(input);
  require(sets.real.size(0) > k, "{}: {} images are compared, more than {} are needed", metric, sets.real.size(0), k);
  return sets;
}

/// A score of equal sets without a value yet.
Score of_equal(std::string name, const EqualSets& sets) {
  const SetSizes sizes{sets.generated.size(0), sets.real.size(0)};
  return {.name = std::move(name), .estimator = kEqual, .of = sizes, .floor_of = sizes, .ceiling_of = sizes};
}

}  // namespace

// A drawn image lies in the real balls or does not: that share has a binomial error. How many real
// images lie in balls about drawn ones moves with the balls: of recall, density and coverage no
// error is known.

std::vector<Score> precision_recall_scores(const MetricInput& input) {
  const EqualSets sets = sets_above(input, kPrecisionNeighbors, "precision_recall");
  const auto of = [&](const Tensor& images) { return precision_recall(sets.real, images, kPrecisionNeighbors); };
  const auto value = of(sets.generated), floor = of(sets.held_out), ceiling = of(sets.noise);
  Score precision = of_equal(named("Precision", input), sets), recall = of_equal(named("Recall", input), sets);
  precision.value = value.precision, precision.floor = floor.precision, precision.ceiling = ceiling.precision;
  precision.error = binomial(value.precision, sets.generated.size(0));
  recall.value = value.recall, recall.floor = floor.recall, recall.ceiling = ceiling.recall;
  return {precision, recall};
}

std::vector<Score> density_coverage_scores(const MetricInput& input) {
  const EqualSets sets = sets_above(input, kDensityNeighbors, "density_coverage");
  const auto of = [&](const Tensor& images) { return density_coverage(sets.real, images, kDensityNeighbors); };
  const auto value = of(sets.generated), floor = of(sets.held_out), ceiling = of(sets.noise);
  Score density = of_equal(named("Density", input), sets), coverage = of_equal(named("Coverage", input), sets);
  density.value = value.density, density.floor = floor.density, density.ceiling = ceiling.density;
  coverage.value = value.coverage, coverage.floor = floor.coverage, coverage.ceiling = ceiling.coverage;
  return {density, coverage};
}

std::vector<Score> nearest_scores(const MetricInput& input) {
  const Nearest value = nearest_real(input.real, input.generated), floor = nearest_other(input.real),
                ceiling = nearest_real(input.real, input.noise);
  const auto share = [](const Nearest& nearest) { return nearest.copied.to(at::kDouble).mean().item<double>(); };
  const std::int64_t count = input.real.size(0);
  Score distance{.name = named("Distance to the nearest real image", input),
                 .estimator = "mean over the drawn images",
                 .of = {input.generated.size(0), count},
                 .value = value.distance.mean().item<double>(),
                 .floor = floor.distance.mean().item<double>(),
                 .ceiling = ceiling.distance.mean().item<double>(),
                 .floor_of = {count, count - 1},
                 .ceiling_of = {input.noise.size(0), count}};
  if (value.distance.numel() > 1) distance.error = mean_estimate(value.distance).error;
  Score copies = distance;
  copies.name = named("Share nearer to a real image than others are", input);
  copies.value = share(value), copies.floor = share(floor), copies.ceiling = share(ceiling);
  copies.error = binomial(copies.value, value.copied.size(0));
  return {distance, copies};
}

std::vector<Score> class_scores(const MetricInput& input) {
  const auto of = [&](const Tensor& features, std::int64_t splits) {
    const auto logits = input.features.logits(features);
    require(logits.has_value(), "inception_score: features '{}' come with no classes; choose inception or classifier",
            input.features.name());
    return inception_score(*logits, splits);
  };
  const std::int64_t count = input.generated.size(0), real = std::min(count, input.real.size(0)),
                     noise = std::min(count, input.noise.size(0));
  const std::int64_t splits = std::min({kSplits, count, real, noise});
  const SplitScore value = of(input.generated, splits);
  Score score{.name = metric_names(input.features, input.real.size(1)).score,
              .estimator = format("mean over {} splits", splits),
              .of = {count, 0},
              .value = value.mean,
              .floor = of(input.real.narrow(0, 0, real), splits).mean,
              .ceiling = of(input.noise.narrow(0, 0, noise), splits).mean,
              .floor_of = {real, 0},
              .ceiling_of = {noise, 0}};
  if (splits > 1) score.error = value.std / std::sqrt(static_cast<double>(splits - 1));
  return {score};
}

}  // namespace edmund
