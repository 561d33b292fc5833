#include "edmund/core/error.h"
#include "edmund/networks/block_unet.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <string>
#include <utility>

namespace edmund {
namespace {

using Block = BlockUNet::Block;
using Attention = BlockUNet::Attention;
using Resample = BlockUNet::Resample;

// As torch.nn.Conv2d draws them.
const Init kInit{.draw = Draw::kKaimingUniform, .weight = std::sqrt(1.0 / 3), .bias = std::sqrt(1.0 / 3)};

std::shared_ptr<torch::nn::Module> group(torch::nn::Module& parent, const std::string& name) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>());
}

std::shared_ptr<Conv2d> convolution(std::int64_t in, std::int64_t out, std::int64_t kernel = 3) {
  return std::make_shared<Conv2d>(Conv2d::Config{.in = in, .out = out, .kernel = kernel, .init = kInit});
}

bool attends(const Block& block, std::int64_t layer) {
  return block.attention == Attention::kAll || (block.attention == Attention::kFirst && layer == 0) ||
         (block.attention == Attention::kLast && layer + 1 == block.layers);
}

// A convolution of stride 2: every second pixel of one of stride 1, which the fast kernels have.
Tensor halved(const Conv2d& conv, const Tensor& x, BlockUNet::Padding padding) {
  const Tensor y = conv.forward(x);
  const std::int64_t first = padding == BlockUNet::Padding::kEnd ? 1 : 0;
  return y.slice(2, first, y.size(2), 2).slice(3, first, y.size(3), 2);
}

Tensor doubled(const Conv2d& conv, const Tensor& x) {
  return conv.forward(ops::resample(x, ops::Resample::kUp, {1, 1}));
}

}  // namespace

BlockUNet::BlockUNet(Config config) : config_(std::move(config)) {
  if (const auto found = problem(config_)) fail("network: {}: {}", found->option, found->reason);
  const auto& c = config_;
  map_noise_ = register_module("map_noise", std::make_shared<NoiseMap>(c.noise, c.embedding));
  if (c.num_classes > 0)
    map_label_ =
        register_module("map_label", std::make_shared<ClassMap>(c.classes, c.num_classes, c.noise, c.embedding));
  std::int64_t now = c.down.front().channels;
  conv_in_ = register_module("conv_in", convolution(c.image.channels, now));
  const auto down = group(*this, "down"), mid = group(*this, "mid"), up = group(*this, "up");
  const auto repeated = [](std::int64_t first, const Block& block) {
    std::vector<std::int64_t> inputs(static_cast<std::size_t>(block.layers), block.channels);
    if (!inputs.empty()) inputs.front() = first;
    return inputs;
  };
  for (const Block& block : c.down) {
    down_.push_back(built(*group(*down, std::to_string(down_.size())), block, repeated(now, block), /*up=*/false));
    now = block.channels;
  }
  mid_ = built(*mid, c.mid, repeated(now, c.mid), /*up=*/false);
  Problem unused;
  const Joined inputs = *joined(c, unused);
  for (const Block& block : c.up)
    up_.push_back(built(*group(*up, std::to_string(up_.size())), block, inputs[up_.size()], /*up=*/true));
  now = c.up.back().channels;
  norm_out_ = register_module("norm_out", std::make_shared<GroupNorm>(now, c.eps, c.groups));
  conv_out_ = register_module("conv_out", convolution(now, c.out_channels));
}

std::shared_ptr<UNetBlock> BlockUNet::layer(const Block& block, std::int64_t in, bool attention, bool up, bool down) {
  return std::make_shared<UNetBlock>(UNetBlock::Config{.in = in,
                                                       .out = block.channels,
                                                       .embedding = config_.embedding,
                                                       .up = up,
                                                       .down = down,
                                                       .attention = attention,
                                                       .heads = block.heads,
                                                       .dropout = config_.dropout,
                                                       .skip_scale = block.scale,
                                                       .eps = config_.eps,
                                                       .groups = block.groups,
                                                       .resample_filter = block.filter,
                                                       .resample_projection = block.image,
                                                       .adaptive_scale = config_.adaptive_scale,
                                                       .init = kInit,
                                                       .init_zero = kInit,
                                                       .layer = layers_++,
                                                       .groups_in = block.groups_in,
                                                       .groups_attention = block.groups_attention,
                                                       .activation = config_.activation});
}

BlockUNet::Built BlockUNet::built(torch::nn::Module& parent, const Block& block,
                                  const std::vector<std::int64_t>& inputs, bool up) {
  Built out;
  for (const std::int64_t in : inputs) {
    const auto i = std::ssize(out.layers);
    out.layers.push_back(parent.register_module(std::to_string(i), layer(block, in, attends(block, i))));
  }
  const std::string name = up ? "up" : "down";
  const std::int64_t C = block.channels;
  if (block.resample == Resample::kConv) out.conv = parent.register_module(name, convolution(C, C));
  if (block.resample == Resample::kResidual) {
    Block end = block;
    end.groups_in = 0;
    out.resampler = parent.register_module(name, layer(end, C, /*attention=*/false, up, !up));
  }
  if (!block.image || block.resample == Resample::kNone) return out;
  if (up)
    out.image_norm = parent.register_module("image_norm", std::make_shared<GroupNorm>(C, config_.eps, block.groups));
  out.image_conv = parent.register_module(
      "image_conv", up ? convolution(C, config_.out_channels) : convolution(config_.image.channels, C, 1));
  return out;
}

Tensor BlockUNet::embedding(const Tensor& c_noise, const Condition& condition, std::int64_t batch,
                            const Watch& watch) const {
  const Tensor waves = map_noise_->waves(c_noise);
  Tensor e = map_noise_->embedded(waves);  // [B or 1, embedding]
  watch("noise_waves", waves);
  watch("noise_embedding", e);
  if (map_label_) {
    const Tensor label = map_label_->forward(condition.labels, batch, *map_noise_, e.options().requires_grad(false));
    watch("class_embedding", label);
    e = e + label;
  }
  return activated(e, config_.activation).expand({batch, e.size(1)});
}

Tensor BlockUNet::forward(const Tensor& input, const Tensor& c_noise, const Condition& condition,
                          const Watch& watch) const {
  const auto& c = config_;
  TORCH_CHECK(input.dim() == 4 && input.size(1) == c.image.channels && input.size(2) == c.image.height &&
                  input.size(3) == c.image.width,
              "BlockUNet: images ", input.sizes(), ", expected [B, ", c.image.channels, ", ", c.image.height, ", ",
              c.image.width, "]");
  const Tensor e = embedding(c_noise, condition, input.size(0), watch);
  const auto* dropout = condition.dropout;
  Tensor image = c.input_scale == 1.0 && c.input_shift == 0.0 ? input : input * c.input_scale + c.input_shift;
  Tensor x = conv_in_->forward(image);
  watch("conv_in", x);

  std::vector<Tensor> skips{x};
  for (std::size_t i = 0; i < down_.size(); ++i) {
    const Built& built = down_[i];
    for (const auto& layer : built.layers) skips.push_back(x = layer->forward(x, e, dropout));
    if (built.conv) x = halved(*built.conv, x, c.down[i].padding);
    if (built.resampler) x = built.resampler->forward(x, e, dropout);
    if (built.image_conv) {
      image = ops::resample(image, ops::Resample::kDown, c.down[i].filter);
      x = built.image_conv->forward(image, {.residual = x});
    }
    if (built.conv || built.resampler) skips.push_back(x);
    watch("down." + std::to_string(i), x);
  }
  for (const auto& layer : mid_.layers) x = layer->forward(x, e, dropout);
  if (!mid_.layers.empty()) watch("mid", x);

  Tensor sum;
  for (std::size_t i = 0; i < up_.size(); ++i) {
    const Built& built = up_[i];
    for (const auto& layer : built.layers) {
      x = layer->forward(ops::concat(x, skips.back()), e, dropout);
      skips.pop_back();
    }
    if (c.up[i].image && sum.defined()) sum = ops::resample(sum, ops::Resample::kUp, c.up[i].filter);
    if (built.image_conv) sum = built.image_conv->forward(built.image_norm->forward(x, {}), {.residual = sum});
    if (built.conv) x = doubled(*built.conv, x);
    if (built.resampler) x = built.resampler->forward(x, e, dropout);
    watch("up." + std::to_string(i), x);
  }
  return conv_out_->forward(norm_out_->forward(x, {}), {.residual = sum});
}

Tensor BlockUNet::forward(const Tensor& x, const Tensor& c_noise, const Condition& condition) {
  return forward(x, c_noise, condition, [](const std::string&, const Tensor&) {});
}

void BlockUNet::initialize(std::uint64_t seed) { initialize_layers(*this, seed); }

}  // namespace edmund
