// adm — U-Net of Dhariwal & Nichol 2021 ("ablated diffusion model"), as NVlabs/edm's DhariwalUNet
// has it and, by options, as OpenAI's UNetModel does (improved-diffusion, guided-diffusion,
// consistency_models). Images of any shape that the resolutions divide.
//
//   channels              192         of the finest resolution
//   multipliers           [1,2,3,4]   of each resolution, the finest first; 0.5 and the like count
//   first_multiplier      0           of the first convolution; 0: the first of multipliers
//   embedding_multiplier  4           width of the embedding of all blocks
//   blocks                3           of each resolution; the decoder has one more
//   attention             [32,16,8]   resolutions (heights in pixels), beside the coarsest
//   channels_per_head     64          of attention; a block with fewer channels has none
//   heads                 0           of each attention in place of that; 0: by channels_per_head
//   dropout               0.1         before a block's second convolution
//   scale_shift           true        the embedding scales and shifts after a block's second norm;
//                                     else it is added before it
//   resampling            block       between resolutions: block (inside a residual block), conv (a
//                                     convolution, with stride 2 on the way down) or pool
//   groups                0           of the norms; 0: min(32, C/4); OpenAI's networks have 32
//   labels                linear      of classes or class shares; or mlp: two layers with SiLU, for
//                                     real numbers
//   learned_variance      false       2C channels, the first C of which count (Nichol & Dhariwal
//                                     2021)
//
// Channels of q, k and v are ordered as NVlabs/edm orders them; OpenAI's weights of either order
// are the same network with rows permuted, which `edmund convert` does.
#include "adm_plan.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace edmund {
namespace {

using namespace adm;

constexpr double kEps = 1e-5;
// Weights as NVlabs/edm draws them.
const Init kInit{.draw = Draw::kKaimingUniform, .weight = std::sqrt(1.0 / 3), .bias = std::sqrt(1.0 / 3)};
constexpr Init kInitZero{.draw = Draw::kKaimingUniform, .weight = 0.0};

class ADM : public Network {
 public:
  bool takes_augment_labels() const override { return true; }
  explicit ADM(Config config) : config_(std::move(config)), plan_(plan_of(config_)) {
    const auto& c = config_;
    map_noise_ = register_module("map_noise", std::make_shared<PositionalEmbedding>(c.channels));
    if (c.augment_labels > 0)
      map_augment_ = register_module("map_augment",
                                     std::make_shared<Linear>(c.augment_labels, c.channels, kInitZero, /*bias=*/false));
    map_layer0_ = register_module("map_layer0", std::make_shared<Linear>(c.channels, c.embedding(), kInit));
    map_layer1_ = register_module("map_layer1", std::make_shared<Linear>(c.embedding(), c.embedding(), kInit));
    if (c.num_classes > 0 && c.label_mlp) {
      map_label_ = register_module("map_label0", std::make_shared<Linear>(c.num_classes, c.embedding(), kInit));
      map_label1_ = register_module("map_label1", std::make_shared<Linear>(c.embedding(), c.embedding(), kInit));
    } else if (c.num_classes > 0) {
      const Init init{.weight = std::sqrt(static_cast<double>(c.num_classes))};
      map_label_ =
          register_module("map_label", std::make_shared<Linear>(c.num_classes, c.embedding(), init, /*bias=*/false));
    }
    const auto enc = register_module("enc", std::make_shared<torch::nn::Module>());
    const auto dec = register_module("dec", std::make_shared<torch::nn::Module>());
    for (auto& part : plan_.encoder) build(part, *enc);
    for (auto& part : plan_.decoder) build(part, *dec);
    const std::int64_t last = plan_.decoder.back().out;
    out_norm_ = register_module("out_norm", std::make_shared<GroupNorm>(last, kEps, c.groups));
    out_conv_ = register_module(
        "out_conv", std::make_shared<Conv2d>(Conv2d::Config{.in = last, .out = c.out_channels, .init = kInitZero}));
  }

  Tensor forward(const Tensor& input, const Tensor& c_noise, const Condition& condition) override {
    const auto& image = config_.image;
    TORCH_CHECK(input.dim() == 4 && input.size(1) == image.channels && input.size(2) == image.height &&
                    input.size(3) == image.width,
                "ADM: images ", input.sizes(), ", expected [B, ", image.channels, ", ", image.height, ", ", image.width,
                "]");
    TORCH_CHECK(c_noise.dim() == 1, "ADM: c_noise ", c_noise.sizes(), ", expected [B]");
    const Tensor e = embedding(c_noise, condition, input.size(0));
    Tensor x = input;
    std::vector<Tensor> skips;
    for (const auto& part : plan_.encoder) {
      x = result(part, x, e, condition);
      skips.push_back(x);
    }
    for (const auto& part : plan_.decoder) {
      if (part.joins) {
        x = ops::concat(x, skips.back());
        skips.pop_back();
      }
      x = result(part, x, e, condition);
    }
    return out_conv_->forward(out_norm_->forward(x, {}));
  }

  void initialize(std::uint64_t seed) override { initialize_layers(*this, seed); }

 private:
  void build(Part& part, torch::nn::Module& parent) {
    const auto& c = config_;
    if (part.role == Part::Role::kBlock) {
      part.block = parent.register_module(part.name,
                                          std::make_shared<UNetBlock>(UNetBlock::Config{.in = part.in,
                                                                                        .out = part.out,
                                                                                        .embedding = c.embedding(),
                                                                                        .up = part.up,
                                                                                        .down = part.down,
                                                                                        .attention = part.attention,
                                                                                        .heads = c.heads_of(part.out),
                                                                                        .dropout = c.dropout,
                                                                                        .eps = kEps,
                                                                                        .groups = c.groups,
                                                                                        .adaptive_scale = c.scale_shift,
                                                                                        .init = kInit,
                                                                                        .init_zero = kInitZero,
                                                                                        .layer = layers_++}));
      return;
    }
    Conv2d::Config settings{.in = part.in, .out = part.out, .up = part.up, .init = kInit};
    if (part.role == Part::Role::kResample && c.resampling == Resampling::kPool) {
      settings.kernel = 0;
      settings.down = part.down;
    }
    part.conv = parent.register_module(part.name, std::make_shared<Conv2d>(std::move(settings)));
  }

  Tensor result(const Part& part, const Tensor& x, const Tensor& e, const Condition& condition) const {
    if (part.block) return part.block->forward(x, e, condition.dropout);
    const Tensor y = part.conv->forward(x);
    const bool strided = part.down && config_.resampling == Resampling::kConv;
    return strided ? y.slice(2, 0, y.size(2), 2).slice(3, 0, y.size(3), 2) : y;
  }

  // What all blocks see, SiLU included, [batch, embedding].
  Tensor embedding(const Tensor& c_noise, const Condition& condition, std::int64_t batch) const {
    const auto options = map_layer0_->weight().options().requires_grad(false);
    // At least float32 whatever the weights: half precision would round large noise indices.
    const auto wide = at::promote_types(at::kFloat, map_layer0_->weight().scalar_type());
    Tensor e = map_noise_->forward(c_noise.to(wide)).to(options);  // [B or 1, channels]
    if (map_augment_ && condition.augment.defined()) e = e + map_augment_->forward(condition.augment.to(options));
    e = map_layer1_->forward(at::silu(map_layer0_->forward(e)));
    if (map_label_) {
      Tensor label = map_label_->forward(class_rows(condition.labels, config_.num_classes, batch, options));
      if (map_label1_) label = map_label1_->forward(at::silu(label));
      e = e + label;
    }
    return at::silu(e).expand({batch, e.size(1)});
  }

  Config config_;
  Plan plan_;
  std::uint32_t layers_ = 0;
  std::shared_ptr<PositionalEmbedding> map_noise_;
  std::shared_ptr<Linear> map_augment_, map_layer0_, map_layer1_, map_label_, map_label1_;
  std::shared_ptr<GroupNorm> out_norm_;
  std::shared_ptr<Conv2d> out_conv_;
};

Config read(Options& options, const NetworkContext& context) {
  Config c{.image = context.image, .num_classes = context.num_classes, .augment_labels = context.augment_labels};
  constexpr Range kMultiplier{.low = 0.0, .high = 64.0, .open_low = true};
  c.channels = options.integer("channels", c.channels, between(4, 4096), "of the finest resolution");
  c.multipliers = options.reals("multipliers", c.multipliers, kMultiplier,
                                "factor on channels at each resolution, the finest first");
  c.first_multiplier = options.real("first_multiplier", c.first_multiplier, {.low = 0.0, .high = 64.0},
                                    "factor of the first convolution; 0: the first of multipliers");
  c.embedding_multiplier = options.integer("embedding_multiplier", c.embedding_multiplier, between(1, 64),
                                           "width of the embedding that all blocks see, in channels");
  c.blocks = options.integer("blocks", c.blocks, between(1, 64), "residual blocks at each resolution");
  c.attention =
      options.integers("attention", c.attention, at_least(1), "resolutions with attention, heights in pixels");
  c.channels_per_head = options.integer("channels_per_head", c.channels_per_head, between(1, 4096), "of attention");
  c.heads = options.integer("heads", c.heads, between(0, 4096), "of each attention; 0: by channels_per_head");
  c.dropout = options.real("dropout", c.dropout, {.low = 0.0, .high = 1.0, .open_high = true},
                           "share that is dropped before a block's second convolution");
  c.scale_shift = options.flag("scale_shift", c.scale_shift,
                               "the embedding scales and shifts after a block's second norm; else it is added before");
  const auto resampling = options.choice("resampling", "block", {"block", "conv", "pool"},
                                         "between resolutions: inside a residual block, a convolution, or alone");
  c.resampling = resampling == "conv"   ? Resampling::kConv
                 : resampling == "pool" ? Resampling::kPool
                                        : Resampling::kBlock;
  c.groups = options.integer("groups", c.groups, between(0, 4096), "of the norms; 0: min(32, channels/4)");
  c.label_mlp = options.choice("labels", "linear", {"linear", "mlp"},
                               "embedding of classes: one layer, or two with SiLU for real numbers") == "mlp";
  c.out_channels =
      options.flag("learned_variance", false,
                   "as many output channels again, for the variance (Nichol & Dhariwal 2021); not used in sampling")
          ? 2 * c.image.channels
          : c.image.channels;
  return c;
}

}  // namespace

std::shared_ptr<Network> make_adm(Options& options, const NetworkContext& context) {
  Config c = read(options, context);
  const auto found = problem(c);
  if (found) options.reject(found->option, found->reason);
  // The mistake is recorded; a small network stands in until all mistakes are reported.
  if (found) c = {.image = c.image, .out_channels = c.out_channels, .channels = 32, .multipliers = {1}, .blocks = 1};
  return std::make_shared<ADM>(std::move(c));
}

}  // namespace edmund
