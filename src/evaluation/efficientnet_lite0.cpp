#include "efficientnet_lite0.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <array>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace edmund {
namespace {

constexpr std::int64_t kSide = 224, kStem = 32, kFeatures = 1280, kExpansion = 6;
constexpr std::int64_t kBlock = 16;  // images at once

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
    add(layer, weight.to(at::kFloat), bias.to(at::kFloat).contiguous());
  }
}

void EfficientNetLite0::add(const LiteLayer& layer, const Tensor& weight, const Tensor& bias) {
  const Tensor matrix = weight.flatten(1).t().contiguous();  // [in·k·k, out]
  if (layer.name == "stem") {
    stem_ = weight.contiguous(at::MemoryFormat::ChannelsLast), stem_bias_ = bias;
  } else if (layer.name == "head") {
    head_ = matrix, head_bias_ = bias;
  } else if (layer.name.ends_with("expand")) {
    blocks_.push_back({.expand = matrix, .expand_bias = bias});
  } else if (layer.name.ends_with("depthwise")) {
    if (blocks_.empty()) blocks_.emplace_back();  // the first block expands nothing
    blocks_.back().taps = matrix, blocks_.back().taps_bias = bias;
    blocks_.back().kernel = layer.kernel, blocks_.back().stride = layer.stride;
  } else {
    blocks_.back().project = matrix, blocks_.back().project_bias = bias;
    blocks_.back().adds_input = layer.adds_input;
  }
}

Tensor EfficientNetLite0::features(const Tensor& images) const {
  TORCH_CHECK(images.dim() == 4 && images.scalar_type() == at::kByte, "images must be uint8 [B, C, H, W]");
  require(images.size(1) == 1 || images.size(1) == 3, "efficientnet-lite0: images have {} channels, expected 1 or 3",
          images.size(1));
  const at::NoGradGuard no_gradients;
  std::vector<Tensor> blocks;
  for (std::int64_t begin = 0; begin < images.size(0); begin += kBlock) {
    Tensor x = prepared(images.narrow(0, begin, std::min(kBlock, images.size(0) - begin)));
    x = at::conv2d(same_padded(x, 3, 2), stem_, stem_bias_, 2).clamp_(0, 6);
    for (const InvertedResidual& block : blocks_) x = applied(block, x);
    const Tensor pixels = x.permute({0, 2, 3, 1});  // [block, 7, 7, 320]
    const Tensor top = at::matmul(pixels, head_).add_(head_bias_).clamp_(0, 6);
    blocks.push_back(top.mean({1, 2}));  // [block, 1280]
  }
  return blocks.empty() ? at::empty({0, kFeatures}) : at::cat(blocks);
}

}  // namespace edmund
