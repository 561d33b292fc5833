// frechet, frechet_infinity, kid: distances between distributions of features.

#include "edmund/core/format.h"
#include "edmund/core/log.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/kernel_distance.h"
#include "edmund/evaluation/metrics.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>

namespace edmund {
namespace {

constexpr std::int64_t kKernelLimit =
    // images beyond which the kernel distance takes subsets: 100 of 1,000 (Bińkowski et al. 2018)
    5000;

/// Halvings of the real images that are averaged; one where the eigenvalues take seconds.
std::int64_t halvings(std::int64_t dims) { return dims <= 256 ? 4 : 1; }

Moments moments(const Tensor& features) {
  Moments out;
  out.add(features);
  return out;
}

Tensor first_rows(const Tensor& x, std::int64_t count) { return x.narrow(0, 0, std::min(count, x.size(0))); }

double distance_to(const ReferenceStatistics& statistics, const Tensor& features) {
  const Moments own = moments(features);
  return frechet_distance(own.mean(), own.covariance(), statistics.mean, statistics.covariance);
}

Estimate kernel_estimate(const Tensor& a, const Tensor& b, std::uint64_t seed) {
  const bool large = std::max(a.size(0), b.size(0)) > kKernelLimit;
  return large ? kernel_distance(a, b, 100, 1000, seed) : kernel_distance(a, b);
}

}  // namespace

std::vector<Score> frechet_scores(const MetricInput& input) {
  if (input.features.literature_names() && input.generated.size(0) <= input.real.size(1))
    log::warn("{} of {} images means little: more than its {} features are needed, {} are usual",
              metric_names(input.features, input.real.size(1)).frechet, input.generated.size(0), input.real.size(1),
              50000);
  const std::string name = metric_names(input.features, input.real.size(1)).frechet;
  if (input.statistics != nullptr) {
    const auto& [mean, covariance] = std::tie(input.statistics->mean, input.statistics->covariance);
    const Estimate estimate = frechet_estimate(input.generated, mean, covariance);
    const std::int64_t count = input.generated.size(0);
    return {{.name = name,
             .value = estimate.value,
             .error = estimate.error,
             .floor = distance_to(*input.statistics, first_rows(input.real, count)),
             .ceiling = distance_to(*input.statistics, first_rows(input.noise, count))}};
  }
  Score score{.name = name};
  const auto rounds = static_cast<std::uint64_t>(halvings(input.real.size(1)));
  for (std::uint64_t draw = 0; draw < 2 * rounds; ++draw) {
    const EqualSets sets = equal_sets(input, draw);
    const Moments real = moments(sets.real);
    const double share = 1.0 / static_cast<double>(2 * rounds);
    score.value += share * frechet_distance(moments(sets.generated), real);
    score.ceiling += share * frechet_distance(moments(sets.noise), real);
    if (draw % 2 == 0) score.floor += 2 * share * frechet_distance(real, moments(sets.held_out));
    // Literature's numbers are of all images against a reference; this one is read beside its own
    // floor only.
    if (draw == 0 && input.features.literature_names())
      score.name += format(" of {} against {} images", sets.generated.size(0), sets.real.size(0));
  }
  score.error = frechet_estimate(input.generated, input.real).error;
  return {score};
}

std::vector<Score> frechet_infinity_scores(const MetricInput& input) {
  const bool given = input.statistics != nullptr;
  const EqualSets sets = equal_sets(input, 0);
  const Moments half = moments(sets.real);
  const Tensor mean = given ? input.statistics->mean : half.mean(),
               covariance = given ? input.statistics->covariance : half.covariance();
  const auto at_infinity = [&](const Tensor& features) {
    return frechet_infinity(features, mean, covariance, {.seed = input.seed}).infinity;
  };
  const Estimate estimate = at_infinity(input.generated);
  const double sampling = frechet_estimate(input.generated, mean, covariance).error;
  return {{.name = metric_names(input.features, input.real.size(1)).frechet + " at infinity",
           .value = estimate.value,
           .error = std::hypot(estimate.error, sampling),
           .floor = at_infinity(given ? input.real : sets.held_out).value,
           .ceiling = at_infinity(given ? input.noise : sets.noise).value}};
}

std::vector<Score> kernel_scores(const MetricInput& input) {
  const Estimate estimate = kernel_estimate(input.generated, input.real, input.seed);
  Score score{.name = metric_names(input.features, input.real.size(1)).kernel,
              .value = estimate.value,
              .error = estimate.error,
              .ceiling = kernel_estimate(input.noise, input.real, input.seed).value};
  const std::int64_t rounds = halvings(input.real.size(1));
  for (std::int64_t round = 0; round < rounds; ++round) {
    const auto [a, b] = halves(input, static_cast<std::uint64_t>(round));
    score.floor += kernel_estimate(a, b, input.seed).value / static_cast<double>(rounds);
  }
  return {score};
}

}  // namespace edmund
