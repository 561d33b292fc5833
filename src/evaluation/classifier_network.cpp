#include "classifier_network.h"

#include "edmund/core/format.h"
#include "edmund/ops/random.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <numbers>

namespace edmund {
namespace {

constexpr std::int64_t kSmallest = 4;  // pixels on the longer side after which pooling ends
constexpr std::int64_t kLeastConvs = 3;
constexpr double kNormEps = 1e-5, kNormMomentum = 0.1;

std::int64_t halved(std::int64_t size) { return size > 1 ? (size + 1) / 2 : 1; }

/// Number of convolutions: as many as halvings, three at least.
std::int64_t conv_count(std::int64_t height, std::int64_t width) {
  std::int64_t count = 0;
  for (; std::max(height, width) > kSmallest; ++count) {
    height = halved(height);
    width = halved(width);
  }
  return std::max(count, kLeastConvs);
}

}  // namespace

ClassifierWeights initial_weights(const ClassifierShape& shape, const ClassifierSettings& settings) {
  ClassifierWeights weights;
  const auto he = [&](std::string name, std::vector<std::int64_t> sizes) {
    double fan_in = 1;
    for (std::size_t i = 1; i < sizes.size(); ++i) fan_in *= static_cast<double>(sizes[i]);
    const std::int64_t index = static_cast<std::int64_t>(weights.size());
    const Tensor draws =
        ops::normal(settings.seed, Stream::kWeights, std::span(&index, 1), 0, sizes, at::kFloat, at::kCPU);
    weights.emplace_back(std::move(name), draws[0] * std::sqrt(2.0 / fan_in));
  };
  const auto constant = [&](std::string name, std::vector<std::int64_t> sizes, double value) {
    weights.emplace_back(std::move(name), at::full(sizes, value));
  };

  std::int64_t in = shape.channels, out = settings.channels, height = shape.height, width = shape.width;
  const std::int64_t convs = conv_count(height, width);
  for (std::int64_t i = 0; i < convs; ++i) {
    he(format("conv{}.weight", i), {out, in, 3, 3});
    constant(format("norm{}.weight", i), {out}, 1);
    constant(format("norm{}.bias", i), {out}, 0);
    constant(format("norm{}.mean", i), {out}, 0);
    constant(format("norm{}.variance", i), {out}, 1);
    in = out;
    out = std::min(2 * out, 4 * settings.channels);
    if (std::max(height, width) > kSmallest) {
      height = halved(height);
      width = halved(width);
    }
  }
  he("hidden.weight", {settings.features, in * height * width});
  constant("hidden.bias", {settings.features}, 0);
  constant("output.weight", {shape.num_classes, settings.features}, 0);
  constant("output.bias", {shape.num_classes}, 0);
  return weights;
}

Tensor output_layer(const ClassifierWeights& weights, const Tensor& features) {
  const Tensor &weight = weights[weights.size() - 2].second, &bias = weights.back().second;
  return at::linear(features.relu(), weight, bias);
}

ClassifierOutput forward(const ClassifierWeights& weights, const Tensor& x, Mode mode) {
  auto next = weights.begin();
  const auto take = [&] { return (next++)->second; };
  Tensor h = x.contiguous(at::MemoryFormat::ChannelsLast);
  while (next->first.starts_with("conv")) {
    h = at::conv2d(h, take(), {}, 1, 1);
    const Tensor weight = take(), bias = take(), mean = take(), variance = take();
    h = at::batch_norm(h, weight, bias, mean, variance, mode == Mode::kTrain, kNormMomentum, kNormEps, false).relu_();
    if (std::max(h.size(2), h.size(3)) > kSmallest)
      h = at::max_pool2d(h, {std::min<std::int64_t>(h.size(2), 2), std::min<std::int64_t>(h.size(3), 2)}, {}, 0, 1,
                         /*ceil_mode=*/true);
  }
  const Tensor hidden = take(), hidden_bias = take();
  const Tensor features = at::linear(h.contiguous().flatten(1), hidden, hidden_bias);  // [B, F]
  return {features, output_layer(weights, features)};
}

Tensor jittered(const Tensor& x, std::uint64_t seed, std::span<const std::int64_t> positions) {
  // shift of half the image's size
  constexpr double kAngle = 10 * std::numbers::pi / 180, kScale = 0.1, kShift = 0.12;
  const Tensor u =
      // [B, 5] in (-1, 1)
      2 * ops::uniform(seed, Stream::kAugment, positions, 0, {5}, at::kFloat, at::kCPU) - 1;
  const Tensor angle = kAngle * u.select(1, 0);
  const Tensor sx = (kScale * u.select(1, 1)).exp(), sy = (kScale * u.select(1, 2)).exp();
  const Tensor theta = at::stack({sx * angle.cos(), -sx * angle.sin(), kShift * u.select(1, 3), sy * angle.sin(),
                                  sy * angle.cos(), kShift * u.select(1, 4)},
                                 1)
                           .view({-1, 2, 3});
  const Tensor grid = at::affine_grid_generator(theta, x.sizes(), false);
  return at::grid_sampler(x, grid, /*bilinear*/ 0, /*border*/ 1, false);
}

}  // namespace edmund
