// edm2 — magnitude-preserving U-Net of Karras et al. 2024, "Analyzing and Improving the Training
// Dynamics of Diffusion Models" (configuration G; NVlabs/edm2 UNet). No layer has a bias or a
// normalization that is learned; weights are normalized where they are used and after each step of
// training. The output's gain starts at zero.
//
//   channels              192         of the finest resolution
//   multipliers           [1,2,3,4]   of each resolution, the finest first
//   noise_multiplier      0           width of the noise embedding, in channels; 0: the first of
//                                     multipliers
//   embedding_multiplier  0           width of the embedding of all blocks; 0: the largest of
//                                     multipliers
//   blocks                3           of each resolution; the decoder has one more
//   attention             [16,8]      resolutions, beside the coarsest
//   channels_per_head     64          of attention; a block with fewer channels has none
//   dropout               0           before a block's second convolution
//   label_balance         0.5         share of the class in the embedding, in [0, 1]
//   concat_balance        0.5         share of what the encoder hands over, in [0, 1]
//   res_balance           0.3         share of a residual branch, in [0, 1]
//   attn_balance          0.3         share of attention, in [0, 1]
//   clip_act              256         largest magnitude of activations; 0: any
//   resample_filter       [1,1]       even number of taps
//
// The log variance of the published loss belongs to the objective (training.uncertainty).
#include "edmund/core/format.h"
#include "edmund/networks/magnitude_preserving.h"
#include "edmund/networks/network.h"
#include "edmund/ops/magnitude.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace edmund {
namespace {

struct Config {
  std::int64_t resolution = 32, image_channels = 3, num_classes = 0;
  std::int64_t channels = 192;
  std::vector<std::int64_t> multipliers = {1, 2, 3, 4};
  std::int64_t noise_multiplier = 0, embedding_multiplier = 0;
  std::int64_t blocks = 3;
  std::vector<std::int64_t> attention = {16, 8};
  double label_balance = 0.5, concat_balance = 0.5;
  MPBlock::Config block = {};  // what all blocks share

  std::int64_t noise() const { return channels * (noise_multiplier > 0 ? noise_multiplier : multipliers.front()); }
  std::int64_t embedding() const {
    return channels * (embedding_multiplier > 0 ? embedding_multiplier : *std::ranges::max_element(multipliers));
  }
  bool attends(std::int64_t R) const { return std::ranges::find(attention, R) != attention.end(); }
};

class EDM2 : public Network {
 public:
  explicit EDM2(Config config) : config_(std::move(config)) {
    const auto& c = config_;
    out_gain_ = register_parameter("out_gain", at::zeros({}));
    emb_fourier_ = register_module("emb_fourier", std::make_shared<MPFourier>(c.noise()));
    emb_noise_ = register_module("emb_noise", std::make_shared<MPConv>(c.noise(), c.embedding(), 0));
    if (c.num_classes > 0)
      emb_label_ = register_module("emb_label", std::make_shared<MPConv>(c.num_classes, c.embedding(), 0));
    build_encoder();
    build_decoder();
    out_conv_ = register_module("out_conv", std::make_shared<MPConv>(now_, c.image_channels, 3));
  }

  Tensor forward(const Tensor& input, const Tensor& c_noise, const Condition& condition) override {
    const auto& c = config_;
    TORCH_CHECK(input.dim() == 4 && input.size(1) == c.image_channels && input.size(2) == c.resolution &&
                    input.size(3) == c.resolution,
                "EDM2: images ", input.sizes(), ", expected [B, ", c.image_channels, ", ", c.resolution, ", ",
                c.resolution, "]");
    TORCH_CHECK(c_noise.dim() == 1, "EDM2: c_noise ", c_noise.sizes(), ", expected [B]");
    const Tensor e = embedding(c_noise, condition, input.size(0));

    // A channel of ones stands in for the biases.
    Tensor x = conv_in_->forward(ops::concat(input, at::ones_like(input.narrow(1, 0, 1))));
    std::vector<Tensor> skips{x};
    for (const auto& block : encoder_) {
      x = block->forward(x, e, condition.dropout);
      skips.push_back(x);
    }
    for (const auto& [block, joins] : decoder_) {
      if (joins) {
        x = ops::mp_concat(x, skips.back(), c.concat_balance);
        skips.pop_back();
      }
      x = block->forward(x, e, condition.dropout);
    }
    return out_conv_->forward(x, out_gain_);
  }

  void initialize(std::uint64_t seed) override {
    const at::NoGradGuard no_grad;
    initialize_layers(*this, seed);
    out_gain_.zero_();
  }

  void stepped() override { normalize_weights(*this); }

 private:
  struct Decoding {
    std::shared_ptr<MPBlock> block;
    bool joins;
  };

  std::shared_ptr<MPBlock> make_block(torch::nn::Module& parent, const std::string& name, MPBlock::Config settings) {
    settings.embedding = config_.embedding();
    settings.channels_per_head = config_.block.channels_per_head;
    settings.dropout = config_.block.dropout;
    settings.res_balance = config_.block.res_balance;
    settings.attn_balance = config_.block.attn_balance;
    settings.clip_act = config_.block.clip_act;
    settings.resample_filter = config_.block.resample_filter;
    settings.layer = layers_++;
    now_ = settings.out;
    return parent.register_module(name, std::make_shared<MPBlock>(std::move(settings)));
  }

  void build_encoder() {
    const auto& c = config_;
    const auto enc = register_module("enc", std::make_shared<torch::nn::Module>());
    now_ = c.channels * c.multipliers.front();
    for (std::size_t level = 0; level < c.multipliers.size(); ++level) {
      const std::int64_t R = c.resolution >> level, out = c.channels * c.multipliers[level];
      if (level == 0) {
        conv_in_ =
            enc->register_module(format("{}x{}_conv", R, R), std::make_shared<MPConv>(c.image_channels + 1, now_, 3));
        skips_.push_back(now_);
      } else {
        encoder_.push_back(make_block(*enc, format("{}x{}_down", R, R), {.in = now_, .out = now_, .down = true}));
        skips_.push_back(now_);
      }
      for (std::int64_t i = 0; i < c.blocks; ++i) {
        encoder_.push_back(
            make_block(*enc, format("{}x{}_block{}", R, R, i), {.in = now_, .out = out, .attention = c.attends(R)}));
        skips_.push_back(out);
      }
    }
  }

  void build_decoder() {
    const auto& c = config_;
    constexpr auto kDecoder = MPBlock::Flavor::kDecoder;
    const auto dec = register_module("dec", std::make_shared<torch::nn::Module>());
    const auto add = [&](const std::string& name, MPBlock::Config settings, bool joins) {
      settings.flavor = kDecoder;
      decoder_.push_back({make_block(*dec, name, std::move(settings)), joins});
    };
    for (std::size_t level = c.multipliers.size(); level-- > 0;) {
      const std::int64_t R = c.resolution >> level, out = c.channels * c.multipliers[level];
      if (level + 1 == c.multipliers.size()) {
        add(format("{}x{}_in0", R, R), {.in = now_, .out = now_, .attention = true}, false);
        add(format("{}x{}_in1", R, R), {.in = now_, .out = now_}, false);
      } else {
        add(format("{}x{}_up", R, R), {.in = now_, .out = now_, .up = true}, false);
      }
      for (std::int64_t i = 0; i <= c.blocks; ++i) {
        add(format("{}x{}_block{}", R, R, i), {.in = now_ + skips_.back(), .out = out, .attention = c.attends(R)},
            true);
        skips_.pop_back();
      }
    }
  }

  Tensor embedding(const Tensor& c_noise, const Condition& condition, std::int64_t batch) const {
    const auto options = out_gain_.options().requires_grad(false);
    // At least float32 whatever the weights: half precision would round the angles.
    const auto wide = at::promote_types(at::kFloat, out_gain_.scalar_type());
    Tensor e = emb_noise_->forward(emb_fourier_->forward(c_noise.to(wide)).to(options));
    if (emb_label_) {
      const Tensor rows = class_rows(condition.labels, config_.num_classes, batch, options);
      const Tensor label = emb_label_->forward(rows * std::sqrt(static_cast<double>(config_.num_classes)));
      e = ops::mp_sum(e, label, config_.label_balance);
    }
    return ops::mp_silu(e).expand({batch, e.size(1)});
  }

  Config config_;
  std::uint32_t layers_ = 0;
  std::int64_t now_ = 0;             // channels of the part that was built last
  std::vector<std::int64_t> skips_;  // channels that the encoder hands over
  Tensor out_gain_;
  std::shared_ptr<MPFourier> emb_fourier_;
  std::shared_ptr<MPConv> emb_noise_, emb_label_, conv_in_, out_conv_;
  std::vector<std::shared_ptr<MPBlock>> encoder_;
  std::vector<Decoding> decoder_;
};

constexpr Range kShare{.low = 0.0, .high = 1.0};

Config read(Options& options, const NetworkContext& context) {
  Config c{
      .resolution = context.image.height, .image_channels = context.image.channels, .num_classes = context.num_classes};
  c.channels = options.integer("channels", c.channels, between(1, 4096), "of the finest resolution");
  c.multipliers = options.integers("multipliers", c.multipliers, between(1, 64),
                                   "factor on channels at each resolution, the finest first");
  c.noise_multiplier = options.integer("noise_multiplier", c.noise_multiplier, between(0, 64),
                                       "width of the noise embedding, in channels; 0: the first of multipliers");
  c.embedding_multiplier =
      options.integer("embedding_multiplier", c.embedding_multiplier, between(0, 64),
                      "width of the embedding that all blocks see, in channels; 0: the largest of multipliers");
  c.blocks = options.integer("blocks", c.blocks, between(1, 64), "residual blocks at each resolution");
  c.attention = options.integers("attention", c.attention, at_least(1), "resolutions with attention, in pixels");
  c.label_balance = options.real("label_balance", c.label_balance, kShare, "share of the class in the embedding");
  c.concat_balance =
      options.real("concat_balance", c.concat_balance, kShare, "share of what the encoder hands to the decoder");
  auto& b = c.block;
  b.channels_per_head = options.integer("channels_per_head", b.channels_per_head, between(1, 4096),
                                        "of attention; a block with fewer channels has none");
  b.dropout = options.real("dropout", b.dropout, {.low = 0.0, .high = 1.0, .open_high = true},
                           "share that is dropped before a block's second convolution");
  b.res_balance = options.real("res_balance", b.res_balance, kShare, "share of a residual branch");
  b.attn_balance = options.real("attn_balance", b.attn_balance, kShare, "share of attention");
  b.clip_act = options.real("clip_act", b.clip_act, {.low = 0.0}, "largest magnitude of activations; 0: any");
  b.resample_filter =
      options.reals("resample_filter", b.resample_filter, {}, "taps of the filter between resolutions, an even number");
  return c;
}

struct Problem {
  std::string option, reason;
};

std::optional<Problem> problem(const Config& c, const ImageShape& image) {
  if (image.height != image.width)
    return Problem{"type", format("takes square images only, the data's are {}×{}; resize or crop them", image.height,
                                  image.width)};
  const auto halvings = static_cast<std::int64_t>(c.multipliers.size()) - 1;
  if (halvings < 0 || halvings > 20)
    return Problem{"multipliers", format("1 to 21 resolutions expected, found {}", halvings + 1)};
  if (c.resolution % (std::int64_t{1} << halvings) != 0)
    return Problem{"multipliers",
                   format("images of {}×{} cannot be halved {} times", c.resolution, c.resolution, halvings)};
  const auto& taps = c.block.resample_filter;
  if (taps.empty() || taps.size() % 2 != 0)
    return Problem{"resample_filter", format("an even number of taps expected, found {}", taps.size())};
  if (std::accumulate(taps.begin(), taps.end(), 0.0) == 0.0) return Problem{"resample_filter", "the taps sum to zero"};
  for (std::size_t level = 0; level < c.multipliers.size(); ++level) {
    const std::int64_t channels = c.channels * c.multipliers[level], heads = channels / c.block.channels_per_head;
    const bool attends = level + 1 == c.multipliers.size() || c.attends(c.resolution >> level);
    if (attends && heads > 0 && channels % heads != 0)
      return Problem{"channels_per_head", format("{} channels do not split into {} equal heads", channels, heads)};
  }
  return std::nullopt;
}

}  // namespace

std::shared_ptr<Network> make_edm2(Options& options, const NetworkContext& context) {
  Config c = read(options, context);
  const auto found = problem(c, context.image);
  if (found) options.reject(found->option, found->reason);
  // The mistake is recorded; a small network stands in until all mistakes are reported.
  if (found)
    c = {.resolution = c.resolution,
         .image_channels = c.image_channels,
         .channels = 16,
         .multipliers = {1},
         .blocks = 1};
  return std::make_shared<EDM2>(std::move(c));
}

}  // namespace edmund
