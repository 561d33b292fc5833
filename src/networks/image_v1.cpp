// image_v1 — the U-Net of k-diffusion (crowsonkb/k-diffusion, models/image_v1.py), under the names
// of its state dicts: residual blocks of GELU and convolution whose group norms get scale and shift
// from a mapping network (AdaGN of Dhariwal & Nichol 2021), attention after them. Images of any
// shape that the resolutions divide. No dropout.
//
//   channels   [128,256]  of each resolution, the finest first
//   depths     [2,2]      residual blocks of each resolution, on either way
//   attention  [0,1]      of each resolution: 1 after each of its blocks, in C/64 heads
//   embedding  256        width of the mapping network
//   patch      1          pixels along a side that become channels
//
// Between resolutions the filter [1,3,3,1]/8 on the mirrored image. Classes and augment labels are
// what its authors call mapping_cond: rows of numbers, in this order: augment, classes.
#include "edmund/core/format.h"
#include "edmund/networks/layers.h"
#include "edmund/networks/network.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace edmund {
namespace {

using Group = std::shared_ptr<torch::nn::Module>;

// As torch.nn draws them; what ends a residual branch starts at zero.
const Init kInit{.draw = Draw::kKaimingUniform, .weight = std::sqrt(1.0 / 3), .bias = std::sqrt(1.0 / 3)};
constexpr Init kZero{.weight = 0.0};

const std::vector<double> kTaps = {1, 3, 3, 1};
constexpr std::int64_t kGroupSize = 32, kHeadSize = 64;

Group group(torch::nn::Module& parent, const std::string& name) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>());
}

std::shared_ptr<Conv2d> convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, const Init& init = kInit,
                                    bool bias = true) {
  return std::make_shared<Conv2d>(Conv2d::Config{.in = in, .out = out, .kernel = kernel, .bias = bias, .init = init});
}

// Group norm without weights of its own.
class AdaptiveNorm {
 public:
  AdaptiveNorm(torch::nn::Module& parent, const std::string& name, std::int64_t embedding, std::int64_t channels,
               std::int64_t groups)
      : channels_(channels), groups_(groups) {
    mapper_ = group(parent, name)->register_module("mapper", std::make_shared<Linear>(embedding, 2 * channels, kInit));
  }

  Tensor forward(const Tensor& x, const Tensor& e) const {
    const Tensor both = mapper_->forward(e);  // [B, 2·C]
    return ops::group_norm_silu(x, {.groups = groups_,
                                    .weight = at::ones({channels_}, x.options().requires_grad(false)),
                                    .bias = at::zeros({channels_}, x.options().requires_grad(false)),
                                    .scale = both.narrow(1, 0, channels_),
                                    .shift = both.narrow(1, channels_, channels_),
                                    .silu = false});
  }

 private:
  std::int64_t channels_, groups_;
  std::shared_ptr<Linear> mapper_;
};

class ResidualBlock {
 public:
  ResidualBlock(torch::nn::Module& parent, std::int64_t embedding, std::int64_t in, std::int64_t mid, std::int64_t out)
      : main_(group(parent, "main")),
        norm0_(*main_, "0", embedding, in, std::max<std::int64_t>(1, in / kGroupSize)),
        norm1_(*main_, "4", embedding, mid, std::max<std::int64_t>(1, mid / kGroupSize)) {
    conv0_ = main_->register_module("2", convolution(in, mid, 3));
    conv1_ = main_->register_module("6", convolution(mid, out, 3));
    if (in != out) skip_ = parent.register_module("skip", convolution(in, out, 1, kInit, /*bias=*/false));
  }

  Tensor forward(const Tensor& x, const Tensor& e) const {
    const Tensor h = conv0_->forward(at::gelu(norm0_.forward(x, e)));
    return conv1_->forward(at::gelu(norm1_.forward(h, e)), {.residual = skip_ ? skip_->forward(x) : x});
  }

 private:
  Group main_;
  AdaptiveNorm norm0_, norm1_;
  std::shared_ptr<Conv2d> conv0_, conv1_, skip_;
};

class SelfAttention {
 public:
  SelfAttention(torch::nn::Module& parent, std::int64_t embedding, std::int64_t channels)
      : heads_(std::max<std::int64_t>(1, channels / kHeadSize)),
        norm_(parent, "norm_in", embedding, channels, std::max<std::int64_t>(1, channels / kGroupSize)) {
    qkv_ = parent.register_module("qkv_proj", convolution(channels, 3 * channels, 1));
    out_ = parent.register_module("out_proj", convolution(channels, channels, 1, kZero));
  }

  Tensor forward(const Tensor& x, const Tensor& e) const {
    const std::int64_t B = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3);
    // channels [q, k, v][head][channel] → those of ops::attention()
    const Tensor qkv = qkv_->forward(norm_.forward(x, e))
                           .view({B, 3, heads_, C / heads_, H, W})
                           .permute({0, 2, 3, 1, 4, 5})
                           .reshape({B, 3 * C, H, W});
    return out_->forward(ops::attention(qkv, heads_), {.residual = x});
  }

 private:
  std::int64_t heads_;
  AdaptiveNorm norm_;
  std::shared_ptr<Conv2d> qkv_, out_;
};

struct Config {
  ImageShape image;
  std::int64_t num_classes = 0, augment_labels = 0;
  std::vector<std::int64_t> channels = {128, 256}, depths = {2, 2}, attention = {0, 1};
  std::int64_t embedding = 256, patch = 1;
};

// Blocks of one resolution and of one way.
struct Level {
  std::vector<std::pair<ResidualBlock, std::vector<SelfAttention>>> blocks = {};

  Level(torch::nn::Module& parent, std::int64_t first, const Config& c, std::size_t level, std::int64_t in,
        std::int64_t out) {
    std::int64_t number = first;
    for (std::int64_t i = 0; i < c.depths[level]; ++i) {
      const std::int64_t mid = c.channels[level], now = i + 1 < c.depths[level] ? mid : out;
      ResidualBlock block(*group(parent, std::to_string(number++)), c.embedding, i == 0 ? in : mid, mid, now);
      std::vector<SelfAttention> attention;
      if (c.attention[level] != 0) attention.emplace_back(*group(parent, std::to_string(number++)), c.embedding, now);
      blocks.emplace_back(std::move(block), std::move(attention));
    }
  }

  Tensor forward(Tensor x, const Tensor& e) const {
    for (const auto& [block, attention] : blocks) {
      x = block.forward(x, e);
      for (const auto& part : attention) x = part.forward(x, e);
    }
    return x;
  }
};

class FourierFeatures : public Layer {
 public:
  explicit FourierFeatures(std::int64_t channels) { weight_ = register_buffer("weight", at::zeros({channels / 2, 1})); }
  Tensor forward(const Tensor& x) const {
    const Tensor angles = at::outer(x, 2 * M_PI * weight_.to(x.scalar_type()).squeeze(1));
    return at::cat({angles.cos(), angles.sin()}, 1);
  }
  void initialize(WeightSource& source) override { weight_.copy_(source.normal(weight_.sizes())); }

 private:
  Tensor weight_;
};

class ImageV1 : public Network {
 public:
  bool takes_augment_labels() const override { return true; }
  explicit ImageV1(Config config) : config_(std::move(config)) {
    const auto& c = config_;
    const std::int64_t cond = c.augment_labels + c.num_classes, pixels = c.image.channels * c.patch * c.patch;
    timestep_ = register_module("timestep_embed", std::make_shared<FourierFeatures>(c.embedding));
    if (cond > 0)
      mapping_cond_ =
          register_module("mapping_cond", std::make_shared<Linear>(cond, c.embedding, kInit, /*bias=*/false));
    const Group mapping = group(*this, "mapping");
    mapping0_ = mapping->register_module("0", std::make_shared<Linear>(c.embedding, c.embedding, kInit));
    mapping1_ = mapping->register_module("2", std::make_shared<Linear>(c.embedding, c.embedding, kInit));
    in_ = register_module("proj_in", convolution(pixels, c.channels.front(), 1));
    out_ = register_module("proj_out", convolution(c.channels.front(), pixels, 1, kZero));
    const Group u_net = group(*this, "u_net"), down = group(*u_net, "d_blocks"), up = group(*u_net, "u_blocks");
    const std::size_t levels = c.channels.size();
    const auto above = [&](std::size_t i) { return c.channels[i > 0 ? i - 1 : 0]; };
    for (std::size_t i = 0; i < levels; ++i) {
      const Group block = group(*down, std::to_string(i));
      if (i > 0) register_filter(*block, 0, 1.0);
      down_.emplace_back(*block, 1, c, i, above(i), c.channels[i]);
    }
    for (std::size_t i = levels; i-- > 0;) {
      const Group block = group(*up, std::to_string(levels - 1 - i));
      up_.emplace_back(*block, 0, c, i, (i + 1 < levels ? 2 : 1) * c.channels[i], above(i));
      if (i > 0) register_filter(*block, c.depths[i] * (c.attention[i] != 0 ? 2 : 1), 4.0);
    }
  }

  Tensor forward(const Tensor& input, const Tensor& c_noise, const Condition& condition) override {
    const auto& c = config_;
    TORCH_CHECK(input.dim() == 4 && input.size(1) == c.image.channels && input.size(2) == c.image.height &&
                    input.size(3) == c.image.width,
                "image_v1: images ", input.sizes(), ", expected [B, ", c.image.channels, ", ", c.image.height, ", ",
                c.image.width, "]");
    const Tensor e = embedding(c_noise, condition, input.size(0));
    Tensor x = in_->forward(c.patch > 1 ? at::pixel_unshuffle(input, c.patch) : input);
    std::vector<Tensor> skips;
    for (std::size_t i = 0; i < down_.size(); ++i) {
      if (i > 0) x = ops::resample(at::reflection_pad2d(x, {1, 1, 1, 1}), ops::Resample::kDown, kTaps, 0);
      x = down_[i].forward(x, e);
      skips.push_back(x);
    }
    for (std::size_t i = 0; i < up_.size(); ++i) {
      x = up_[i].forward(i > 0 ? ops::concat(x, skips[skips.size() - 1 - i]) : x, e);
      if (i + 1 < up_.size()) x = ops::resample(at::reflection_pad2d(x, {1, 1, 1, 1}), ops::Resample::kUp, kTaps, 3);
    }
    x = out_->forward(x);
    return c.patch > 1 ? at::pixel_shuffle(x, c.patch) : x;
  }

  void initialize(std::uint64_t seed) override { initialize_layers(*this, seed); }

 private:
  // What is multiplied with, for the file.
  static void register_filter(torch::nn::Module& parent, std::int64_t number, double gain) {
    const Tensor taps = at::tensor(kTaps).to(at::kFloat) / 8;
    group(parent, std::to_string(number))->register_buffer("kernel", gain * at::outer(taps, taps));
  }

  Tensor embedding(const Tensor& c_noise, const Condition& condition, std::int64_t batch) const {
    const auto options = mapping0_->weight().options().requires_grad(false);
    const auto wide = at::promote_types(at::kFloat, mapping0_->weight().scalar_type());
    Tensor e = timestep_->forward(c_noise.to(wide)).to(options);  // [B or 1, embedding]
    if (mapping_cond_) {
      std::vector<Tensor> rows;
      if (config_.augment_labels > 0)
        rows.push_back(condition.augment.defined() ? condition.augment.to(options)
                                                   : at::zeros({batch, config_.augment_labels}, options));
      if (config_.num_classes > 0)
        rows.push_back(
            class_rows(condition.labels, config_.num_classes, batch, options).expand({batch, config_.num_classes}));
      e = e + mapping_cond_->forward(at::cat(rows, 1));
    }
    e = at::gelu(mapping1_->forward(at::gelu(mapping0_->forward(e))));
    return e.expand({batch, e.size(1)});
  }

  Config config_;
  std::shared_ptr<FourierFeatures> timestep_;
  std::shared_ptr<Linear> mapping_cond_, mapping0_, mapping1_;
  std::shared_ptr<Conv2d> in_, out_;
  std::vector<Level> down_, up_;
};

// What does not fit of an option, in words; "" if it does.
std::string problem(const Config& c) {
  const std::size_t levels = c.channels.size();
  if (levels == 0 || levels > 16) return format("1 to 16 resolutions expected, found {}", levels);
  if (c.depths.size() != levels || c.attention.size() != levels)
    return format("channels, depths and attention must have as many values, found {}, {} and {}", levels,
                  c.depths.size(), c.attention.size());
  const std::int64_t divisor = c.patch << (levels - 1);
  // mirroring takes two pixels
  if (c.image.height % divisor != 0 || c.image.width % divisor != 0 ||
      (levels > 1 && std::min(c.image.height, c.image.width) < 2 * divisor))
    return format("images of {}×{} cannot be halved {} times with patches of {}", c.image.height, c.image.width,
                  levels - 1, c.patch);
  for (const auto channels : c.channels)
    for (const auto size : {kGroupSize, kHeadSize})
      if (channels > size && channels % (channels / size) != 0)
        return format("{} channels do not split into {} equal parts", channels, channels / size);
  return "";
}

}  // namespace

std::shared_ptr<Network> make_image_v1(Options& options, const NetworkContext& context) {
  Config c{.image = context.image, .num_classes = context.num_classes, .augment_labels = context.augment_labels};
  c.channels = options.integers("channels", c.channels, between(1, 16384), "of each resolution, the finest first");
  c.depths = options.integers("depths", c.depths, between(1, 256), "residual blocks of each resolution");
  c.attention = options.integers("attention", c.attention, between(0, 1), "of each resolution: 1 after its blocks");
  c.embedding = options.integer("embedding", c.embedding, between(2, 16384), "width of the mapping network, even");
  c.patch = options.integer("patch", c.patch, between(1, 64), "pixels along a side that become channels");
  options.check(c.embedding % 2 == 0, "embedding", "expected an even number, found {}", c.embedding);
  const std::string found = problem(c);
  if (!found.empty()) options.reject("channels", found);
  // Mistakes are recorded; a small network stands in until all of them are reported.
  if (!found.empty() || c.embedding % 2 != 0)
    c = {.image = c.image, .channels = {4}, .depths = {1}, .attention = {0}, .embedding = 4, .patch = 1};
  return std::make_shared<ImageV1>(std::move(c));
}

}  // namespace edmund
