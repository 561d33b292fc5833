#include "efficientnet_lite0.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <array>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace edmund {
namespace {

constexpr std::int64_t kSide = 224, kStem = 32, kFeatures = 1280, kExpansion = 6;
constexpr std::int64_t kBlock = 16;  // images at once: their activations still fit into the caches

struct Stage {
  std::int64_t kernel, stride, out, blocks;  // the stride is that of its first block
};
// Tan & Le 2019, table 1, without squeeze and excitation (EfficientNet-Lite).
constexpr std::array<Stage, 7> kStages = {
    {{3, 1, 16, 1}, {3, 2, 24, 2}, {5, 2, 40, 2}, {3, 2, 80, 3}, {5, 1, 112, 3}, {5, 2, 192, 4}, {3, 1, 320, 1}}};

/// TensorFlow's SAME padding: the odd pixel goes right and bottom.
Tensor same_padded(const Tensor& x, std::int64_t kernel, std::int64_t stride) {
  const auto total = [&](std::int64_t size) {
    return std::max<std::int64_t>(((size + stride - 1) / stride - 1) * stride + kernel - size, 0);
  };
  const std::int64_t h = total(x.size(2)), w = total(x.size(3));
  return at::constant_pad_nd(x, {w / 2, w - w / 2, h / 2, h - h / 2});
}

/// 224 x 224 and (x - 127)/128: bilinear with half-pixel centers, anti-aliased where it shrinks.
/// Grey images become three equal channels.
Tensor prepared(const Tensor& images) {
  Tensor x = images.to(at::kFloat);
  if (x.size(1) == 1) x = x.expand({-1, 3, -1, -1});
  const bool shrinks = std::max(x.size(2), x.size(3)) > kSide;
  x = shrinks ? at::_upsample_bilinear2d_aa(x, {kSide, kSide}, false)
              : at::upsample_bilinear2d(x, {kSide, kSide}, false);
  return ((x - 127) / 128).contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

std::vector<LiteLayer> lite0_layers() {
  std::vector<LiteLayer> layers{{.name = "stem", .kernel = 3, .stride = 2, .in = 3, .out = kStem}};
  std::int64_t in = kStem, block = 0;
  for (const Stage& stage : kStages)
    for (std::int64_t i = 0; i < stage.blocks; ++i, ++block) {
      const std::string name = "blocks." + std::to_string(block) + ".";
      const std::int64_t stride = i == 0 ? stage.stride : 1, wide = block == 0 ? in : kExpansion * in;
      if (block > 0) layers.push_back({.name = name + "expand", .in = in, .out = wide});
      layers.push_back({.name = name + "depthwise",
                        .kernel = stage.kernel,
                        .stride = stride,
                        .in = wide,
                        .out = wide,
                        .groups = wide});
      layers.push_back({.name = name + "project",
                        .in = wide,
                        .out = stage.out,
                        .relu6 = false,
                        .adds_input = stride == 1 && in == stage.out});
      in = stage.out;
    }
  layers.push_back({.name = "head", .in = in, .out = kFeatures});
  return layers;
}

EfficientNetLite0::EfficientNetLite0(const TensorFile& file) {
  for (const LiteLayer& layer : lite0_layers()) {
    const std::vector<std::int64_t> shape{layer.out, layer.in / layer.groups, layer.kernel, layer.kernel};
    const Tensor &weight = file.at(layer.name + ".weight"), &bias = file.at(layer.name + ".bias");
    require(weight.sizes() == at::IntArrayRef(shape) && bias.dim() == 1 && bias.size(0) == layer.out &&
                weight.is_floating_point() && bias.is_floating_point(),
            "{}: '{}' does not have EfficientNet-Lite0's shape: weight {} x {} x {} x {} and bias {} expected",
            file.file, layer.name, shape[0], shape[1], shape[2], shape[3], layer.out);
    weights_.push_back(weight.to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast));
    biases_.push_back(bias.to(at::kFloat));
  }
}

Tensor EfficientNetLite0::features(const Tensor& images) const {
  TORCH_CHECK(images.dim() == 4 && images.scalar_type() == at::kByte, "images must be uint8 [B, C, H, W]");
  require(images.size(1) == 1 || images.size(1) == 3, "efficientnet-lite0: images have {} channels, expected 1 or 3",
          images.size(1));
  const at::NoGradGuard no_gradients;
  const auto layers = lite0_layers();
  std::vector<Tensor> blocks;
  for (std::int64_t begin = 0; begin < images.size(0); begin += kBlock) {
    Tensor x = prepared(images.narrow(0, begin, std::min(kBlock, images.size(0) - begin))), input;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const LiteLayer& layer = layers[i];
      if (layer.name.ends_with("expand")) input = x;
      x = at::conv2d(same_padded(x, layer.kernel, layer.stride), weights_[i], biases_[i], layer.stride,
                     at::IntArrayRef(0), 1, layer.groups);
      if (layer.relu6) x.clamp_(0, 6);
      if (layer.adds_input) x.add_(input);
    }
    blocks.push_back(x.mean({2, 3}));  // [block, 1280]
  }
  return blocks.empty() ? at::empty({0, kFeatures}) : at::cat(blocks);
}

}  // namespace edmund
