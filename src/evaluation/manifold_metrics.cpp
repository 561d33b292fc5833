// precision_recall, density_coverage, nearest, inception_score: where single images lie among the
// others.

#include "edmund/core/error.h"
#include "edmund/evaluation/inception_score.h"
#include "edmund/evaluation/metrics.h"
#include "edmund/evaluation/neighbors.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>

namespace edmund {
namespace {

constexpr std::int64_t kPrecisionNeighbors = 3;  // Kynkäänniemi et al. 2019, sec. 3.1
constexpr std::int64_t kDensityNeighbors = 5;    // Naeem et al. 2020, sec. 4
constexpr std::int64_t kSplits = 10;             // Salimans et al. 2016

/// Standard error of a share of n.
double binomial(double share, std::int64_t n) {
  return std::sqrt(std::max(share * (1 - share), 0.0) / static_cast<double>(n));
}

std::string named(const char* metric, const MetricInput& input) {
  return format("{} ({}, {}-d)", metric, input.features.name(), input.real.size(1));
}

EqualSets sets_above(const MetricInput& input, std::int64_t k, std::string_view metric) {
  EqualSets sets = equal_sets(input, 0);
  require(sets.real.size(0) > k, "{}: {} images are compared, more than {} are needed", metric, sets.real.size(0), k);
  return sets;
}

}  // namespace

std::vector<Score> precision_recall_scores(const MetricInput& input) {
  const EqualSets sets = sets_above(input, kPrecisionNeighbors, "precision_recall");
  const auto of = [&](const Tensor& images) { return precision_recall(sets.real, images, kPrecisionNeighbors); };
  const auto value = of(sets.generated), floor = of(sets.held_out), ceiling = of(sets.noise);
  const std::int64_t n = sets.real.size(0);
  return {{.name = named("Precision", input),
           .value = value.precision,
           .error = binomial(value.precision, n),
           .floor = floor.precision,
           .ceiling = ceiling.precision},
          {.name = named("Recall", input),
           .value = value.recall,
           .error = binomial(value.recall, n),
           .floor = floor.recall,
           .ceiling = ceiling.recall}};
}

std::vector<Score> density_coverage_scores(const MetricInput& input) {
  const EqualSets sets = sets_above(input, kDensityNeighbors, "density_coverage");
  const auto of = [&](const Tensor& images) { return density_coverage(sets.real, images, kDensityNeighbors); };
  const auto value = of(sets.generated), floor = of(sets.held_out), ceiling = of(sets.noise);
  return {{.name = named("Density", input), .value = value.density, .floor = floor.density, .ceiling = ceiling.density},
          {.name = named("Coverage", input),
           .value = value.coverage,
           .error = binomial(value.coverage, sets.real.size(0)),
           .floor = floor.coverage,
           .ceiling = ceiling.coverage}};
}

std::vector<Score> nearest_scores(const MetricInput& input) {
  const Nearest value = nearest_real(input.real, input.generated), floor = nearest_other(input.real),
                ceiling = nearest_real(input.real, input.noise);
  const auto share = [](const Nearest& nearest) { return mean_estimate(nearest.copied).value; };
  const Estimate distance = mean_estimate(value.distance);
  return {{.name = named("Distance to the nearest real image", input),
           .value = distance.value,
           .error = distance.error,
           .floor = mean_estimate(floor.distance).value,
           .ceiling = mean_estimate(ceiling.distance).value},
          {.name = named("Share nearer to a real image than others are", input),
           .value = share(value),
           .error = binomial(share(value), value.copied.size(0)),
           .floor = share(floor),
           .ceiling = share(ceiling)}};
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
  return {{.name = metric_names(input.features, input.real.size(1)).score,
           .value = value.mean,
           .error = value.std / std::sqrt(static_cast<double>(std::max<std::int64_t>(splits - 1, 1))),
           .floor = of(input.real.narrow(0, 0, real), splits).mean,
           .ceiling = of(input.noise.narrow(0, 0, noise), splits).mean}};
}

}  // namespace edmund
