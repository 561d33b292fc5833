// unet, ddpmpp, ncsnpp — U-Net of Song et al. 2021 as Karras et al. 2022 reformulate it, under the
// same options:
//
//                         unet        ddpmpp     ncsnpp
//   channels              128         128        128        of the finest resolution
//   multipliers           [1,2,2,2]   [2,2,2]    [2,2,2]    of each resolution, the finest first
//   embedding_multiplier  4           4          4          width of the embedding of all blocks
//   noise_multiplier      1           1          2          width of the noise embedding
//   blocks                4           4          4          of each resolution
//   attention             [16]        [16]       [16]       resolutions, beside the coarsest
//   dropout               0.1         0.13       0.13       before a block's second convolution
//   embedding             positional  positional fourier    of the noise level
//   encoder               standard    standard   residual   standard | skip | residual: how the
//                                                           input reaches coarser resolutions
//   decoder               standard    standard   standard   standard | skip: the image is made at
//                                                           the finest one, or summed over all
//   resample_filter       [1,1]       [1,1]      [1,3,3,1]  even number of taps
//   learned_variance      false       false      false      2C channels, the first C of which count
//                                                           (Nichol & Dhariwal 2021)
//
// unet has the defaults of NVlabs/edm's SongUNet, the others those of its training command for
// 32×32 images.
#include "edmund/networks/song_unet.h"

#include "edmund/core/error.h"

#include <ATen/ATen.h>
#include <cmath>
#include <utility>

namespace edmund {
namespace {

// Weights of Song et al.'s U-Nets as NVlabs/edm draws them: Glorot uniform; layers that end a
// residual branch start near zero.
constexpr Init kInit{.draw = Draw::kXavierUniform};
constexpr Init kInitZero{.draw = Draw::kXavierUniform, .weight = 1e-5};
const Init kInitAttention{.draw = Draw::kXavierUniform, .weight = std::sqrt(0.2)};
constexpr double kEps = 1e-6;
const double kSkipScale = std::sqrt(0.5);

using Noise = SongUNet::Noise;
using Encoder = SongUNet::Encoder;
using Decoder = SongUNet::Decoder;

// Reads the options into `c`, which holds the defaults.
SongUNet::Config read(Options& options, const NetworkContext& context, SongUNet::Config c) {
  c.resolution = context.image.height;
  c.in_channels = context.image.channels;
  c.num_classes = context.num_classes;
  c.augment_labels = context.augment_labels;
  c.channels = options.integer("channels", c.channels, between(4, 4096), "of the finest resolution");
  c.multipliers = options.integers("multipliers", c.multipliers, between(1, 64),
                                   "factor on channels at each resolution, the finest first");
  c.embedding_multiplier = options.integer("embedding_multiplier", c.embedding_multiplier, between(1, 64),
                                           "width of the embedding that all blocks see, in channels");
  c.noise_multiplier = options.integer("noise_multiplier", c.noise_multiplier, between(1, 64),
                                       "width of the noise embedding, in channels");
  c.blocks = options.integer("blocks", c.blocks, between(1, 64), "residual blocks at each resolution");
  c.attention = options.integers("attention", c.attention, at_least(1), "resolutions with attention, in pixels");
  c.dropout = options.real("dropout", c.dropout, {.low = 0.0, .high = 1.0, .open_high = true},
                           "share that is dropped before a block's second convolution");
  const auto noise = options.choice("embedding", c.embedding == Noise::kFourier ? "fourier" : "positional",
                                    {"positional", "fourier"}, "of the noise level");
  c.embedding = noise == "fourier" ? Noise::kFourier : Noise::kPositional;
  const auto encoder =
      options.choice("encoder", c.encoder == Encoder::kResidual ? "residual" : "standard",
                     {"standard", "skip", "residual"}, "how the input reaches coarser resolutions beside the blocks");
  c.encoder = encoder == "skip" ? Encoder::kSkip : encoder == "residual" ? Encoder::kResidual : Encoder::kStandard;
  c.decoder = options.choice("decoder", "standard", {"standard", "skip"},
                             "image made at the finest resolution, or summed over all") == "skip"
                  ? Decoder::kSkip
                  : Decoder::kStandard;
  c.resample_filter =
      options.reals("resample_filter", c.resample_filter, {}, "taps of the filter between resolutions, an even number");
  c.out_channels =
      options.flag("learned_variance", false,
                   "as many output channels again, for the variance (Nichol & Dhariwal 2021); not used in sampling")
          ? 2 * c.in_channels
          : c.in_channels;

  return c;
}

std::shared_ptr<Network> make_song_unet(Options& options, const NetworkContext& context, SongUNet::Config defaults) {
  SongUNet::Config c = read(options, context, std::move(defaults));
  const auto& image = context.image;
  options.check(image.height == image.width, "type",
                "takes square images only, the data's are {}×{}; resize or crop them", image.height, image.width);
  const auto found = SongUNet::problem(c);
  if (found) options.reject(found->option, found->reason);
  // The mistake is recorded; a small network of the right kind stands in until all mistakes are
  // reported.
  if (found)
    c = {.resolution = c.resolution,
         .in_channels = c.in_channels,
         .out_channels = c.out_channels,
         .channels = 32,
         .multipliers = {1},
         .blocks = 1};
  return std::make_shared<SongUNet>(std::move(c));
}

}  // namespace

SongUNet::SongUNet(Config config) : config_(std::move(config)) {
  if (const auto found = problem(config_)) fail("network: {}: {}", found->option, found->reason);
  const auto& c = config_;
  const std::int64_t noise = c.channels * c.noise_multiplier, embedding = c.channels * c.embedding_multiplier;
  if (c.embedding == Noise::kPositional) {
    map_noise_ = std::make_shared<PositionalEmbedding>(noise, /*endpoint=*/true);
  } else {
    map_noise_ = std::make_shared<FourierEmbedding>(noise);
  }
  register_module("map_noise", map_noise_);
  if (c.num_classes > 0)
    map_label_ = register_module("map_label", std::make_shared<Linear>(c.num_classes, noise, kInit));
  if (c.augment_labels > 0)
    map_augment_ =
        register_module("map_augment", std::make_shared<Linear>(c.augment_labels, noise, kInit, /*bias=*/false));
  map_layer0_ = register_module("map_layer0", std::make_shared<Linear>(noise, embedding, kInit));
  map_layer1_ = register_module("map_layer1", std::make_shared<Linear>(embedding, embedding, kInit));

  encoder_ = encoder_plan(c);
  decoder_ = decoder_plan(c, encoder_);
  const auto enc = register_module("enc", std::make_shared<torch::nn::Module>());
  const auto dec = register_module("dec", std::make_shared<torch::nn::Module>());
  for (auto& part : encoder_) build(part, *enc);
  for (auto& part : decoder_) build(part, *dec);
}

void SongUNet::build(Part& part, torch::nn::Module& parent) {
  const auto conv = [&](const std::string& name, Conv2d::Config settings) {
    settings.in = part.in;
    settings.out = part.out;
    settings.up = part.up;
    settings.down = part.down;
    settings.resample_filter = config_.resample_filter;
    part.conv = parent.register_module(name, std::make_shared<Conv2d>(std::move(settings)));
  };
  switch (part.role) {
    case Role::kBlock:
    case Role::kJoin:
      part.block = parent.register_module(part.name, std::make_shared<UNetBlock>(UNetBlock::Config{
                                                         .in = part.in,
                                                         .out = part.out,
                                                         .embedding = config_.channels * config_.embedding_multiplier,
                                                         .up = part.up,
                                                         .down = part.down,
                                                         .attention = part.attention,
                                                         .heads = 1,
                                                         .dropout = config_.dropout,
                                                         .skip_scale = kSkipScale,
                                                         .eps = kEps,
                                                         .resample_filter = config_.resample_filter,
                                                         .resample_projection = true,
                                                         .adaptive_scale = false,
                                                         .init = kInit,
                                                         .init_zero = kInitZero,
                                                         .init_attention = kInitAttention,
                                                         .layer = layers_++}));
      break;
    case Role::kConv: conv(part.name, {.kernel = 3, .init = kInit}); break;
    case Role::kAuxDown:
    case Role::kAuxUp: conv(part.name, {.kernel = 0}); break;
    case Role::kAuxSkip: conv(part.name, {.kernel = 1, .init = kInit}); break;
    case Role::kAuxResidual: conv(part.name, {.kernel = 3, .fused_resample = true, .init = kInit}); break;
    case Role::kAuxOut:
      part.norm = parent.register_module(part.name + "_norm", std::make_shared<GroupNorm>(part.in, kEps));
      conv(part.name + "_conv", {.kernel = 3, .init = kInitZero});
      break;
  }
}

Tensor SongUNet::noise_embedding(const Tensor& c_noise) const {
  // At least float32 whatever the weights: half precision would round large noise indices.
  const auto wide = map_layer0_->weight().scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return map_noise_->forward(c_noise.to(wide));
}

Tensor SongUNet::embedding(const Tensor& c_noise, const Condition& condition, std::int64_t batch) const {
  const auto options = map_layer0_->weight().options().requires_grad(false);
  // [B or 1, noise]
  const Tensor cos_sin = noise_embedding(c_noise);
  // [sin, cos]
  Tensor e = cos_sin.reshape({cos_sin.size(0), 2, -1}).flip(1).reshape(cos_sin.sizes()).to(options);
  if (map_label_) {
    const Tensor rows = class_rows(condition.labels, config_.num_classes, batch, options);
    e = e + map_label_->forward(rows * std::sqrt(static_cast<double>(config_.num_classes)));
  }
  if (map_augment_ && condition.augment.defined()) e = e + map_augment_->forward(condition.augment.to(options));
  e = at::silu(map_layer0_->forward(e));
  e = at::silu(map_layer1_->forward(e));
  return e.expand({batch, e.size(1)});
}

Tensor SongUNet::forward(const Tensor& input, const Tensor& c_noise, const Condition& condition) {
  TORCH_CHECK(input.dim() == 4 && input.size(1) == config_.in_channels && input.size(2) == config_.resolution &&
                  input.size(3) == config_.resolution,
              "SongUNet: images ", input.sizes(), ", expected [B, ", config_.in_channels, ", ", config_.resolution,
              ", ", config_.resolution, "]");
  TORCH_CHECK(c_noise.dim() == 1, "SongUNet: c_noise ", c_noise.sizes(), ", expected [B]");
  const Tensor e = embedding(c_noise, condition, input.size(0));

  Tensor x = input, aux = input;
  std::vector<Tensor> skips;
  for (const auto& part : encoder_) {
    switch (part.role) {
      case Role::kAuxDown: aux = part.conv->forward(aux); break;
      case Role::kAuxSkip: x = skips.back() = part.conv->forward(aux, {.residual = x}); break;
      case Role::kAuxResidual:
        x = skips.back() = aux = part.conv->forward(aux, {.residual = x, .scale = kSkipScale});
        break;
      default:
        x = part.block ? part.block->forward(x, e, condition.dropout) : part.conv->forward(x);
        skips.push_back(x);
    }
  }

  Tensor out;
  for (const auto& part : decoder_) {
    switch (part.role) {
      case Role::kAuxUp: out = part.conv->forward(out); break;
      case Role::kAuxOut: out = part.conv->forward(part.norm->forward(x, {}), {.residual = out}); break;
      case Role::kJoin:
        x = ops::concat(x, skips.back());
        skips.pop_back();
        [[fallthrough]];
      default: x = part.block->forward(x, e, condition.dropout);
    }
  }
  return out;
}

void SongUNet::initialize(std::uint64_t seed) { initialize_layers(*this, seed); }

std::shared_ptr<Network> make_unet(Options& options, const NetworkContext& context) {
  return make_song_unet(options, context, {});
}

std::shared_ptr<Network> make_ddpmpp(Options& options, const NetworkContext& context) {
  return make_song_unet(options, context, {.multipliers = {2, 2, 2}, .dropout = 0.13});
}

std::shared_ptr<Network> make_ncsnpp(Options& options, const NetworkContext& context) {
  return make_song_unet(options, context,
                        {.multipliers = {2, 2, 2},
                         .noise_multiplier = 2,
                         .dropout = 0.13,
                         .embedding = Noise::kFourier,
                         .encoder = Encoder::kResidual,
                         .resample_filter = {1, 3, 3, 1}});
}

}  // namespace edmund
