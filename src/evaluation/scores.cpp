#include "edmund/evaluation/scores.h"

#include "edmund/core/error.h"
#include "edmund/core/format.h"
#include "edmund/ops/random.h"

#include <algorithm>
#include <ATen/ATen.h>

namespace edmund {
namespace {

constexpr std::int64_t kKernelLimit =
    5000;  // images beyond which the kernel distance takes subsets: 100 of 1,000 (Bińkowski et al. 2018)

/// Halvings of the real images that are averaged; one where the eigenvalues take seconds.
std::int64_t halvings(std::int64_t dims) { return dims <= 256 ? 4 : 1; }

/// The indices 0 … size-1 in an order drawn by (seed, draw), [size].
Tensor shuffled(std::int64_t size, std::uint64_t seed, std::uint64_t draw) {
  const Tensor order = at::empty({size}, at::kLong);
  auto* out = order.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < size; ++i)
    out[i] = static_cast<std::int64_t>(
        permuted(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(size), seed, draw));
  return order;
}

Tensor noise_images(std::int64_t count, at::IntArrayRef shape, std::uint64_t seed) {
  const Tensor rows = at::arange(count, at::kLong);
  const std::span<const std::int64_t> samples(rows.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(count));
  const Tensor u = ops::uniform(seed, Stream::kEvaluation, samples, 0, shape.slice(1), at::kFloat, at::kCPU);
  return (u * 256).floor_().clamp_(0, 255).to(at::kByte);
}

Moments moments(const Tensor& features) {
  Moments out;
  out.add(features);
  return out;
}

Estimate kernel_estimate(const Tensor& a, const Tensor& b, std::uint64_t seed) {
  const bool large = std::max(a.size(0), b.size(0)) > kKernelLimit;
  return large ? kernel_distance(a, b, 100, 1000, seed) : kernel_distance(a, b);
}

}  // namespace

Reference::Reference(const FeatureExtractor& features, const Tensor& real_images, std::uint64_t seed)
    : features_(features), seed_(seed) {
  require(real_images.size(0) >= 4, "evaluation: {} real images, at least 4 are needed", real_images.size(0));
  real_ = features_.extract(real_images).to(at::kDouble);
  noise_ = features_.extract(noise_images(real_.size(0) / 2, real_images.sizes(), seed)).to(at::kDouble);
}

Score Reference::frechet(const Tensor& generated) const {
  const std::int64_t half = real_.size(0) / 2, count = std::min(half, generated.size(0)),
                     rounds = halvings(real_.size(1));
  Score score{.name = format("Fréchet distance ({}, {}-d)", features_.name(), real_.size(1))};
  const Moments noise = moments(noise_.narrow(0, 0, count));
  for (std::int64_t round = 0; round < rounds; ++round) {
    const auto draw = 3 * static_cast<std::uint64_t>(round);
    const Tensor order = shuffled(real_.size(0), seed_, draw);
    const Moments halves[] = {moments(real_.index_select(0, order.narrow(0, 0, count))),
                              moments(real_.index_select(0, order.narrow(0, half, count)))};
    score.floor += frechet_distance(halves[0], halves[1]) / static_cast<double>(rounds);
    for (std::uint64_t side = 0; side < 2; ++side) {
      const Tensor some = shuffled(generated.size(0), seed_, draw + 1 + side).narrow(0, 0, count);
      score.value +=
          frechet_distance(moments(generated.index_select(0, some)), halves[side]) / static_cast<double>(2 * rounds);
      score.ceiling += frechet_distance(noise, halves[side]) / static_cast<double>(2 * rounds);
    }
  }
  score.error = frechet_estimate(generated, real_).error;
  return score;
}

Score Reference::kernel(const Tensor& generated) const {
  Score score{.name = format("Kernel distance ({}, {}-d)", features_.name(), real_.size(1))};
  const Estimate estimate = kernel_estimate(generated, real_, seed_);
  score.value = estimate.value;
  score.error = estimate.error;
  score.ceiling = kernel_estimate(noise_, real_, seed_).value;
  const std::int64_t half = real_.size(0) / 2, rounds = halvings(real_.size(1));
  for (std::int64_t round = 0; round < rounds; ++round) {
    const Tensor order = shuffled(real_.size(0), seed_, 3 * static_cast<std::uint64_t>(round));
    const Tensor a = real_.index_select(0, order.narrow(0, 0, half)),
                 b = real_.index_select(0, order.narrow(0, half, half));
    score.floor += kernel_estimate(a, b, seed_).value / static_cast<double>(rounds);
  }
  return score;
}

std::vector<Score> Reference::scores(const Tensor& generated) const {
  require(generated.size(0) >= 2, "evaluation: {} generated images, at least 2 are needed", generated.size(0));
  const Tensor features = features_.extract(generated).to(at::kDouble);
  return {frechet(features), kernel(features)};
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
