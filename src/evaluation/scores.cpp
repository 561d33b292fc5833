#include "edmund/evaluation/scores.h"

#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/estimate.h"
#include "edmund/evaluation/metrics.h"

#include <ATen/ATen.h>
#include <limits>
#include <utility>

namespace edmund {
namespace {

const MetricEntry& metric_named(std::string_view name) {
  for (const auto& entry : metric_table())
    if (entry.name == name) return entry;
  fail("{}", metric_fault(name));
}

/// Whether some feature differs between two images by more than the rounding of float32.
bool vary(const Tensor& x) {
  const Tensor mean = x.mean(0);
  return ((x - mean).square().mean(0) > 1e-12 * (1e-6 + mean.square())).any().item<bool>();
}

}  // namespace

Reference::Reference(const FeatureExtractor& features, RealFeatures real, std::uint64_t seed, ScoreSettings settings)
    : features_(features), seed_(seed), settings_(std::move(settings)), real_(std::move(real)) {
  require(real_.kept.size(0) >= 4, "evaluation: {} real images, at least 4 are needed", real_.kept.size(0));
  for (const auto& name : settings_.metrics) metric_named(name);
  if (settings_.statistics) require_same_features(*settings_.statistics, features_, real_.kept.size(1));
  require(vary(at::cat({real_.kept, real_.noise})),
          "the features '{}' are the same for all images, real ones and noise: they measure nothing; choose others "
          "with evaluation.features.type",
          features_.name());
}

Reference::Reference(const FeatureExtractor& features, const Tensor& real_images, std::uint64_t seed,
                     ScoreSettings settings)
    : Reference(features, real_features(features, real_images, seed), seed, std::move(settings)) {}

std::vector<Score> Reference::scores(const Tensor& drawn, const Tensor& labels) const {
  return scores_of(features_.extract(drawn), labels);
}

std::vector<Score> Reference::scores_of(const Tensor& features, const Tensor& labels) const {
  require(features.size(0) >= 2, "evaluation: {} generated images, at least 2 are needed", features.size(0));
  const MetricInput input{.features = features_,
                          .real = real_.kept,
                          .noise = real_.noise,
                          .generated = features.to(at::kDouble),
                          .labels = real_.labels,
                          .drawn_labels = labels,
                          .moments = &real_.moments,
                          .statistics = settings_.statistics ? &*settings_.statistics : nullptr,
                          .seed = seed_};
  std::vector<Score> out;
  for (const auto& name : settings_.metrics) {
    std::vector<Score> found = metric_named(name).make(input);
    for (Score& score : found) {
      if (!score.caution.empty() && said_.insert(score.caution).second) log::warn("{}", score.caution);
      score.metric = found.size() == 1 ? name : score.name;
      out.push_back(std::move(score));
    }
  }
  return out;
}

std::optional<double> half_interval(std::optional<double> error, double level) {
  return error ? std::optional(student_quantile((1 + level) / 2, std::numeric_limits<double>::infinity()) * *error)
               : std::nullopt;
}

Score class_agreement(const Classifier& classifier, const Tensor& images, const Tensor& labels, const Batch& held_out,
                      std::uint64_t seed) {
  const Estimate share = classifier.accuracy(images, labels);
  return {.name = "Class agreement (classifier)",
          .estimator = "share of the images whose class is named as asked",
          .of = {images.size(0), held_out.images.size(0)},
          .value = share.value,
          .error = share.error,
          .floor = classifier.accuracy(held_out.images, held_out.labels).value,
          .ceiling = classifier.accuracy(noise_images(images.size(0), images.sizes().slice(1), seed), labels).value};
}

}  // namespace edmund
