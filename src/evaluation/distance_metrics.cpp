// frechet, frechet_infinity, kid: distances between distributions of features.

#include "edmund/core/format.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/kernel_distance.h"
#include "edmund/evaluation/metrics.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>

namespace edmund {
namespace {

/// Choices of real images that a floor is averaged over; one where the eigenvalues take seconds.
std::uint64_t choices(std::int64_t dims) { return dims <= 256 ? 4 : 1; }

/// What a Fréchet distance is taken to.
struct RealSide {
  Tensor mean, covariance;
  std::int64_t count = 0;  // 0: the file does not say
};

Moments moments_of_real(const MetricInput& input) {
  return input.moments != nullptr ? *input.moments : Moments(input.real);
}

RealSide real_side(const MetricInput& input) {
  if (const auto* given = input.statistics) return {given->mean, given->covariance, given->count.value_or(0)};
  const Moments real = moments_of_real(input);
  return {real.mean(), real.covariance(), real.count()};
}

double distance(const Moments& images, const RealSide& real) {
  return frechet_distance(images.mean(), images.covariance(), real.mean, real.covariance);
}

/// Images that a floor takes from the real ones.
std::int64_t floor_images(const MetricInput& input) {
  const std::int64_t count = std::min(input.generated.size(0), input.real.size(0));
  return input.statistics != nullptr ? count : std::min(count, moments_of_real(input).count() / 2);
}

void add_frechet_floor(Score& score, const MetricInput& input, const RealSide& real) {
  const std::int64_t count = floor_images(input);
  const std::uint64_t draws = choices(input.real.size(1));
  for (std::uint64_t draw = 0; draw < draws; ++draw) {
    const Moments chosen(parted(input, count, draw).first);
    const double found = input.statistics != nullptr ? distance(chosen, real)
                                                     : frechet_distance(chosen, moments_of_real(input).without(chosen));
    score.floor += found / static_cast<double>(draws);
  }
  score.floor_of = {count, input.statistics != nullptr ? real.count : real.count - count};
}

/// What to think of a distance of so few images; "" where there are enough.
std::string caution_of_few(const std::string& name, std::int64_t images, const RealSide& real) {
  const std::int64_t dims = real.mean.size(0), enough = enough_images(dims);
  if (images >= enough && (real.count == 0 || real.count >= enough)) return "";
  return format(
      "{}: {} images against {} real ones are few for {} features; below {}, five a feature, what finite sets add is a "
      "large part of the number{}",
      name, images, real.count > 0 ? format("{}", real.count) : "an unknown number of", dims, enough,
      images <= dims ? ", and with no more images than features neither that nor the error can be told" : "");
}

}  // namespace

std::vector<Score> frechet_scores(const MetricInput& input) {
  const RealSide real = real_side(input);
  const DrawnDistance found = frechet_to(input.generated, real.mean, real.covariance, input.drawn_labels);
  const std::int64_t count = input.generated.size(0), dims = input.real.size(1);
  Score score{.name = metric_names(input.features, dims).frechet,
              .estimator = "plug-in: mean and covariance of all drawn images against those of all real ones",
              .of = {count, real.count},
              .value = found.value,
              .error = found.error(),
              .bias = found.bias,
              .ceiling = distance(Moments(input.noise), real),
              .ceiling_of = {input.noise.size(0), real.count},
              .influence = found.influence};
  add_frechet_floor(score, input, real);
  score.caution = caution_of_few(score.name, count, real);
  return {score};
}

std::vector<Score> frechet_infinity_scores(const MetricInput& input) {
  const RealSide real = real_side(input);
  const auto at_infinity = [&](const Tensor& features, const Tensor& mean, const Tensor& covariance,
                               const Tensor& labels = {}) {
    return frechet_infinity(features, mean, covariance, {.seed = input.seed}, labels).infinity;
  };
  const Estimate estimate = at_infinity(input.generated, real.mean, real.covariance, input.drawn_labels);
  const auto sampling = frechet_to(input.generated, real.mean, real.covariance, input.drawn_labels).error();
  const auto chosen = parted(input, floor_images(input), 0).first;
  const Moments others = input.statistics != nullptr ? Moments() : moments_of_real(input).without(Moments(chosen));
  Score score{.name = metric_names(input.features, input.real.size(1)).frechet + " at infinity",
              .estimator = "plug-in distances of growing subsets, continued along a line in 1/N",
              .of = {input.generated.size(0), real.count},
              .value = estimate.value,
              .ceiling = at_infinity(input.noise, real.mean, real.covariance).value,
              .floor_of = {chosen.size(0), input.statistics != nullptr ? real.count : others.count()},
              .ceiling_of = {input.noise.size(0), real.count}};
  if (sampling) score.error = std::hypot(estimate.error, *sampling);
  score.floor = input.statistics != nullptr ? at_infinity(chosen, real.mean, real.covariance).value
                                            : at_infinity(chosen, others.mean(), others.covariance()).value;
  return {score};
}

std::vector<Score> kernel_scores(const MetricInput& input) {
  DrawnDistance found = kernel_distance(input.generated, input.real);
  found.influence = within_classes(found.influence, input.drawn_labels);
  const std::int64_t count = input.real.size(0);
  const auto [chosen, others] = parted(input, std::min(input.generated.size(0), count / 2), 0);
  return {{.name = metric_names(input.features, input.real.size(1)).kernel,
           .estimator = "unbiased, over all pairs of the drawn images and the real ones",
           .of = {input.generated.size(0), count},
           .value = found.value,
           .error = found.error(),
           .bias = found.bias,
           .floor = kernel_distance(chosen, others).value,
           .ceiling = kernel_distance(input.noise, input.real).value,
           .floor_of = {chosen.size(0), others.size(0)},
           .ceiling_of = {input.noise.size(0), count},
           .influence = found.influence}};
}

}  // namespace edmund
