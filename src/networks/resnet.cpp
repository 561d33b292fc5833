// resnet — residual network at one resolution, fully convolutional: what is left of a U-Net without
// its resolutions and attention, for images of any shape (blocks of Dhariwal & Nichol 2021, after
// He et al. 2016). A fast baseline: it tells how much of a result the U-Net's reach is worth. Each
// block sees four pixels further.
//
//   channels  64    a multiple of 4, beyond 128 of 32
//   blocks    8     residual blocks, of two 3×3 convolutions each
//   dropout   0     before each block's second convolution, in training
#include "edmund/networks/network.h"
#include "edmund/networks/unet_block.h"

#include <ATen/ATen.h>
#include <cmath>
#include <string>
#include <vector>

namespace edmund {
namespace {

constexpr double kEps = 1e-5;
constexpr Init kInit{.draw = Draw::kXavierUniform};
constexpr Init kInitZero{.draw = Draw::kXavierUniform, .weight = 0.0};

class ResNet : public Network {
 public:
  struct Config {
    std::int64_t image_channels = 3, num_classes = 0, channels = 64, blocks = 8;
    double dropout = 0.0;
  };

  explicit ResNet(const Config& config) : config_(config) {
    const std::int64_t C = config.channels, embedding = 4 * C;
    map_noise_ = register_module("map_noise", std::make_shared<PositionalEmbedding>(C));
    map_layer0_ = register_module("map_layer0", std::make_shared<Linear>(C, embedding, kInit));
    map_layer1_ = register_module("map_layer1", std::make_shared<Linear>(embedding, embedding, kInit));
    if (config.num_classes > 0)
      map_label_ = register_module("map_label", std::make_shared<Linear>(config.num_classes, C, kInit));
    conv_in_ = register_module(
        "conv_in", std::make_shared<Conv2d>(Conv2d::Config{.in = config.image_channels, .out = C, .init = kInit}));
    for (std::int64_t i = 0; i < config.blocks; ++i)
      blocks_.push_back(register_module("block" + std::to_string(i), std::make_shared<UNetBlock>(UNetBlock::Config{
                                                                         .in = C,
                                                                         .out = C,
                                                                         .embedding = embedding,
                                                                         .dropout = config.dropout,
                                                                         .skip_scale = std::sqrt(0.5),
                                                                         .eps = kEps,
                                                                         .init = kInit,
                                                                         .init_zero = kInitZero,
                                                                         .layer = static_cast<std::uint32_t>(i)})));
    norm_out_ = register_module("norm_out", std::make_shared<GroupNorm>(C, kEps));
    conv_out_ = register_module(
        "conv_out", std::make_shared<Conv2d>(Conv2d::Config{.in = C, .out = config.image_channels, .init = kInitZero}));
  }

  Tensor forward(const Tensor& x, const Tensor& c_noise, const Condition& condition) override {
    const std::int64_t B = x.size(0);
    const auto options = map_layer0_->weight().options().requires_grad(false);
    const auto wide = at::promote_types(at::kFloat, map_layer0_->weight().scalar_type());
    Tensor e = map_noise_->forward(c_noise.to(wide)).to(options);  // [B or 1, channels]
    if (map_label_) {
      const Tensor rows = class_rows(condition.labels, config_.num_classes, B, options);
      e = e + map_label_->forward(rows * std::sqrt(static_cast<double>(config_.num_classes)));
    }
    e = at::silu(map_layer1_->forward(at::silu(map_layer0_->forward(e))));
    e = e.expand({B, e.size(1)});
    Tensor h = conv_in_->forward(x);
    for (const auto& block : blocks_) h = block->forward(h, e, condition.dropout);
    return conv_out_->forward(norm_out_->forward(h, {}));
  }

  void initialize(std::uint64_t seed) override { initialize_layers(*this, seed); }

 private:
  Config config_;
  std::shared_ptr<PositionalEmbedding> map_noise_;
  std::shared_ptr<Linear> map_layer0_, map_layer1_, map_label_;
  std::shared_ptr<Conv2d> conv_in_, conv_out_;
  std::vector<std::shared_ptr<UNetBlock>> blocks_;
  std::shared_ptr<GroupNorm> norm_out_;
};

}  // namespace

std::shared_ptr<Network> make_resnet(Options& options, const NetworkContext& context) {
  ResNet::Config c{.image_channels = context.image.channels, .num_classes = context.num_classes};
  c.channels =
      options.integer("channels", c.channels, between(4, 4096), "of all blocks: a multiple of 4, beyond 128 of 32");
  c.blocks = options.integer("blocks", c.blocks, between(1, 1024), "residual blocks of two 3×3 convolutions");
  c.dropout = options.real("dropout", c.dropout, {.low = 0.0, .high = 1.0, .open_high = true},
                           "share that is dropped before a block's second convolution");
  const bool splits = c.channels % (c.channels > 128 ? 32 : 4) == 0;
  options.check(splits, "channels", "expected a multiple of 4, beyond 128 of 32, found {}", c.channels);
  if (!splits) c.channels = 32;  // stands in until all mistakes are reported
  return std::make_shared<ResNet>(c);
}

}  // namespace edmund
