#include "edmund/evaluation/scores.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/metrics.h"
#include "edmund/ops/random.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <utility>

namespace edmund {
namespace {

Tensor noise_images(std::int64_t count, at::IntArrayRef shape, std::uint64_t seed) {
  const Tensor rows = at::arange(count, at::kLong);
  const std::span<const std::int64_t> samples(rows.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(count));
  const Tensor u = ops::uniform(seed, Stream::kEvaluation, samples, 0, shape.slice(1), at::kFloat, at::kCPU);
  return (u * 256).floor_().clamp_(0, 255).to(at::kByte);
}

const MetricEntry& metric_named(std::string_view name) {
  for (const auto& entry : metric_table())
    if (entry.name == name) return entry;
  fail("unknown metric '{}'{}", name, suggestion(name, names(metric_table())));
}

}  // namespace

Reference::Reference(const FeatureExtractor& features, const Tensor& real_images, std::uint64_t seed,
                     ScoreSettings settings)
    : features_(features), seed_(seed), settings_(std::move(settings)) {
  require(real_images.size(0) >= 4, "evaluation: {} real images, at least 4 are needed", real_images.size(0));
  for (const auto& name : settings_.metrics) metric_named(name);
  real_ = features_.extract(real_images).to(at::kDouble);
  if (settings_.statistics) require_same_features(*settings_.statistics, features_, real_.size(1));
  noise_ = features_.extract(noise_images(real_.size(0) / 2, real_images.sizes(), seed)).to(at::kDouble);
}

std::vector<Score> Reference::scores(const Tensor& generated) const {
  require(generated.size(0) >= 2, "evaluation: {} generated images, at least 2 are needed", generated.size(0));
  const MetricInput input{.features = features_,
                          .real = real_,
                          .noise = noise_,
                          .generated = features_.extract(generated).to(at::kDouble),
                          .statistics = settings_.statistics ? &*settings_.statistics : nullptr,
                          .seed = seed_};
  std::vector<Score> out;
  for (const auto& name : settings_.metrics)
    for (Score& score : metric_named(name).make(input)) out.push_back(std::move(score));
  return out;
}

Score class_agreement(const Classifier& classifier, const Tensor& images, const Tensor& labels, const Batch& held_out,
                      std::uint64_t seed) {
  const Estimate share = classifier.accuracy(images, labels);
  return {.name = "Class agreement (classifier)",
          .value = share.value,
          .error = share.error,
          .floor = classifier.accuracy(held_out.images, held_out.labels).value,
          .ceiling = classifier.accuracy(noise_images(images.size(0), images.sizes(), seed), labels).value};
}

}  // namespace edmund
