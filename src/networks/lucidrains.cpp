// lucidrains — the U-Net of denoising-diffusion-pytorch (lucidrains), under the names of its state
// dicts: convolutions normalized over their channels (RMSNorm of Zhang & Sennrich 2019), two blocks
// a resolution, linear attention (Katharopoulos et al. 2020; its form is Shen et al. 2021's) in all
// but the coarsest resolution, learned keys and values beside those of the pixels. Images of any
// shape that can be halved so often. No dropout.
//
//   channels          64             dim of its authors
//   first             as channels    of the first convolution, of 7×7
//   multipliers       [1,2,4,8]      factor on channels after each resolution
//   full_attention    [0,0,0,1]      of each resolution: 1 softmax, 0 linear; default: the last
//                                    alone
//   heads             [4,4,4,4]      of the attention of each resolution
//   head_channels     [32,32,32,32]  of each head; the middle has those of the last resolution
//   memory            4              learned keys and values of each attention
//   embedding         positional     of the noise level, or fourier: learned frequencies and the
//                                    level
//                                    itself
//   frequencies       8              of fourier
//   learned_variance  false          2C channels, the first C of which count
//
// Classes, which its Unet does not have, are added to the embedding of the noise level.
#include "edmund/core/format.h"
#include "edmund/networks/layers.h"
#include "edmund/networks/network.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

namespace edmund {
namespace {

using Group = std::shared_ptr<torch::nn::Module>;

// As torch.nn draws them.
const Init kInit{.draw = Draw::kKaimingUniform, .weight = std::sqrt(1.0 / 3), .bias = std::sqrt(1.0 / 3)};

Group group(torch::nn::Module& parent, const std::string& name) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>());
}

std::shared_ptr<Conv2d> convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, bool bias = true) {
  return std::make_shared<Conv2d>(Conv2d::Config{.in = in, .out = out, .kernel = kernel, .bias = bias, .init = kInit});
}

// x·g·√C/‖x‖ over the channels of a pixel.
class RmsNorm : public Layer {
 public:
  explicit RmsNorm(std::int64_t channels) { g_ = register_parameter("g", at::ones({1, channels, 1, 1})); }
  Tensor forward(const Tensor& x) const {
    const Tensor norm = at::linalg_vector_norm(x, 2, {1}, /*keepdim=*/true).clamp_min(1e-12);
    return x / norm * (g_ * std::sqrt(static_cast<double>(x.size(1))));
  }
  void initialize(WeightSource&) override {
    const at::NoGradGuard no_grad;
    g_.fill_(1.0);
  }

 private:
  Tensor g_;
};

class Block {
 public:
  Block(torch::nn::Module& parent, std::int64_t embedding, std::int64_t in, std::int64_t out) : out_(out) {
    mlp_ = group(parent, "mlp")->register_module("1", std::make_shared<Linear>(embedding, 2 * out, kInit));
    const Group first = group(parent, "block1"), second = group(parent, "block2");
    conv0_ = first->register_module("proj", convolution(in, out, 3));
    norm0_ = first->register_module("norm", std::make_shared<RmsNorm>(out));
    conv1_ = second->register_module("proj", convolution(out, out, 3));
    norm1_ = second->register_module("norm", std::make_shared<RmsNorm>(out));
    if (in != out) skip_ = parent.register_module("res_conv", convolution(in, out, 1));
  }

  // e: [B, embedding], after its SiLU
  Tensor forward(const Tensor& x, const Tensor& e) const {
    const Tensor both = mlp_->forward(e).unsqueeze(2).unsqueeze(3);  // [B, 2·out, 1, 1]
    Tensor h = norm0_->forward(conv0_->forward(x));
    h = at::silu(h * (both.narrow(1, 0, out_) + 1) + both.narrow(1, out_, out_));
    h = at::silu(norm1_->forward(conv1_->forward(h)));
    return h + (skip_ ? skip_->forward(x) : x);
  }

 private:
  std::int64_t out_;
  std::shared_ptr<Linear> mlp_;
  std::shared_ptr<Conv2d> conv0_, conv1_, skip_;
  std::shared_ptr<RmsNorm> norm0_, norm1_;
};

// Keys and values that are learned, [2, heads, …].
class Memory : public Layer {
 public:
  explicit Memory(const std::vector<std::int64_t>& sizes) { mem_kv_ = register_parameter("mem_kv", at::zeros(sizes)); }
  void initialize(WeightSource& source) override {
    const at::NoGradGuard no_grad;
    mem_kv_.copy_(source.normal(mem_kv_.sizes()));
  }
  Tensor of(std::int64_t which, std::int64_t batch) const {
    return mem_kv_[which].unsqueeze(0).expand({batch, -1, -1, -1});
  }

 protected:
  Tensor mem_kv_;
};

// Softmax attention, or linear: q·(softmax over the pixels of k)·v.
class Attention : public Memory {
 public:
  Attention(std::int64_t channels, std::int64_t heads, std::int64_t head, std::int64_t memory, bool full)
      : Memory(full ? std::vector<std::int64_t>{2, heads, memory, head}
                    : std::vector<std::int64_t>{2, heads, head, memory}),
        heads_(heads),
        head_(head),
        full_(full) {
    norm_ = register_module("norm", std::make_shared<RmsNorm>(channels));
    qkv_ = register_module("to_qkv", convolution(channels, 3 * heads * head, 1, /*bias=*/false));
    if (full) {
      out_ = register_module("to_out", convolution(heads * head, channels, 1));
      return;
    }
    const Group out = group(*this, "to_out");
    out_ = out->register_module("0", convolution(heads * head, channels, 1));
    norm_out_ = out->register_module("1", std::make_shared<RmsNorm>(channels));
  }

  Tensor forward(const Tensor& x) const {
    const std::int64_t B = x.size(0), H = x.size(2), W = x.size(3);
    // each [B, heads, head, H·W]
    const auto parts = qkv_->forward(norm_->forward(x)).view({B, 3, heads_, head_, H * W}).unbind(1);
    const Tensor result = (full_ ? attended(parts, B) : linear(parts, B)).reshape({B, heads_ * head_, H, W});
    const Tensor out = out_->forward(result);
    return x + (full_ ? out : norm_out_->forward(out));
  }

 private:
  Tensor attended(const std::vector<Tensor>& parts, std::int64_t B) const {
    const Tensor q = parts[0].transpose(2, 3), k = at::cat({of(0, B), parts[1].transpose(2, 3)}, 2),
                 v = at::cat({of(1, B), parts[2].transpose(2, 3)}, 2);
    return at::scaled_dot_product_attention(q, k, v).transpose(2, 3);
  }
  Tensor linear(const std::vector<Tensor>& parts, std::int64_t B) const {
    const Tensor k = at::cat({of(0, B), parts[1]}, 3).softmax(3), v = at::cat({of(1, B), parts[2]}, 3);
    const Tensor q = parts[0].softmax(2) / std::sqrt(static_cast<double>(head_));
    return at::matmul(at::matmul(v, k.transpose(2, 3)), q);  // [B, heads, head, H·W]
  }

  std::int64_t heads_, head_;
  bool full_;
  std::shared_ptr<RmsNorm> norm_, norm_out_;
  std::shared_ptr<Conv2d> qkv_, out_;
};

// [x, sin, cos] of 2π·x·f with frequencies that are learned.
class LearnedFrequencies : public Layer {
 public:
  explicit LearnedFrequencies(std::int64_t count) { weights_ = register_parameter("weights", at::zeros({count})); }
  Tensor forward(const Tensor& x) const {
    const Tensor angles = at::outer(x, 2 * std::numbers::pi * weights_.to(x.scalar_type()));
    return at::cat({x.unsqueeze(1), angles.sin(), angles.cos()}, 1);
  }
  void initialize(WeightSource& source) override {
    const at::NoGradGuard no_grad;
    weights_.copy_(source.normal(weights_.sizes()));
  }

 private:
  Tensor weights_;
};

struct Config {
  ImageShape image;
  std::int64_t num_classes = 0;
  std::int64_t channels = 64, first = 64;
  std::vector<std::int64_t> multipliers = {1, 2, 4, 8}, full_attention = {}, heads = {}, head_channels = {};
  std::int64_t memory = 4, frequencies = 8;
  bool fourier = false, learned_variance = false;
};

class Lucidrains : public Network {
 public:
  explicit Lucidrains(Config config) : config_(std::move(config)) {
    const auto& c = config_;
    const std::int64_t E = 4 * c.channels, levels = static_cast<std::int64_t>(c.multipliers.size());
    init_ = register_module("init_conv", convolution(c.image.channels, c.first, 7));
    const Group time = group(*this, "time_mlp");
    if (c.fourier) frequencies_ = time->register_module("0", std::make_shared<LearnedFrequencies>(c.frequencies));
    time0_ =
        time->register_module("1", std::make_shared<Linear>(c.fourier ? 2 * c.frequencies + 1 : c.channels, E, kInit));
    time1_ = time->register_module("3", std::make_shared<Linear>(E, E, kInit));
    if (c.num_classes > 0)
      map_label_ = register_module("map_label", std::make_shared<Linear>(c.num_classes, E, kInit, /*bias=*/false));
    std::vector<std::int64_t> widths = {c.first};
    for (const auto multiplier : c.multipliers) widths.push_back(multiplier * c.channels);
    const Group downs = group(*this, "downs"), ups = group(*this, "ups");
    for (std::int64_t i = 0; i < levels; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::int64_t in = widths[at], out = widths[at + 1];
      downs_.push_back(stage(*group(*downs, std::to_string(i)), at, in, in, i + 1 < levels ? 4 * in : in, out,
                             i + 1 < levels ? 1 : 3));
    }
    const auto last = static_cast<std::size_t>(levels - 1);
    mid0_ = std::make_unique<Block>(*group(*this, "mid_block1"), E, widths.back(), widths.back());
    mid_attention_ = register_module("mid_attn", attention(last, widths.back(), /*full=*/true));
    mid1_ = std::make_unique<Block>(*group(*this, "mid_block2"), E, widths.back(), widths.back());
    for (std::int64_t i = levels; i-- > 0;) {
      const auto at = static_cast<std::size_t>(i);
      const std::int64_t in = widths[at], out = widths[at + 1];
      ups_.push_back(stage(*group(*ups, std::to_string(levels - 1 - i)), at, in + out, out, out, in, 3));
    }
    final_ = std::make_unique<Block>(*group(*this, "final_res_block"), E, 2 * c.first, c.first);
    out_ = register_module("final_conv", convolution(c.first, (c.learned_variance ? 2 : 1) * c.image.channels, 1));
  }

  Tensor forward(const Tensor& input, const Tensor& c_noise, const Condition& condition) override {
    const auto& c = config_;
    TORCH_CHECK(input.dim() == 4 && input.size(1) == c.image.channels && input.size(2) == c.image.height &&
                    input.size(3) == c.image.width,
                "lucidrains: images ", input.sizes(), ", expected [B, ", c.image.channels, ", ", c.image.height, ", ",
                c.image.width, "]");
    const Tensor e = embedding(c_noise, condition, input.size(0));
    Tensor x = init_->forward(input);
    std::vector<Tensor> skips = {x};
    for (std::size_t i = 0; i < downs_.size(); ++i) {
      const Stage& stage = downs_[i];
      x = stage.block0.forward(x, e);
      skips.push_back(x);
      x = stage.attention->forward(stage.block1.forward(x, e));
      skips.push_back(x);
      // [B, 4C, H/2, W/2]: a pixel's channels are [c][row][column]
      x = stage.resample->forward(i + 1 < downs_.size() ? at::pixel_unshuffle(x, 2) : x);
    }
    x = mid1_->forward(mid_attention_->forward(mid0_->forward(x, e)), e);
    const auto joined = [&] {
      const Tensor skip = skips.back();
      skips.pop_back();
      return ops::concat(x, skip);
    };
    for (std::size_t i = 0; i < ups_.size(); ++i) {
      const Stage& stage = ups_[i];
      x = stage.block0.forward(joined(), e);
      x = stage.attention->forward(stage.block1.forward(joined(), e));
      x = stage.resample->forward(i + 1 < ups_.size() ? ops::resample(x, ops::Resample::kUp, {1, 1}) : x);
    }
    return out_->forward(final_->forward(joined(), e));
  }

  void initialize(std::uint64_t seed) override { initialize_layers(*this, seed); }

 private:
  struct Stage {
    Block block0, block1;
    std::shared_ptr<Attention> attention;
    std::shared_ptr<Conv2d> resample;
  };

  std::shared_ptr<Attention> attention(std::size_t level, std::int64_t channels, bool full) const {
    const auto& c = config_;
    return std::make_shared<Attention>(channels, c.heads[level], c.head_channels[level], c.memory, full);
  }

  // Two blocks, their attention and the way to the next resolution, a convolution of so many
  // channels; it comes after a rearrangement, or doubling, without weights.
  Stage stage(torch::nn::Module& parent, std::size_t level, std::int64_t in, std::int64_t width, std::int64_t from,
              std::int64_t to, std::int64_t kernel) const {
    const std::int64_t E = 4 * config_.channels;
    Stage out{.block0 = Block(*group(parent, "0"), E, in, width), .block1 = Block(*group(parent, "1"), E, in, width)};
    out.attention = parent.register_module("2", attention(level, width, config_.full_attention[level] != 0));
    const bool is_down = in == width;
    const bool resamples = is_down ? kernel == 1 : level > 0;
    out.resample = resamples ? group(parent, "3")->register_module("1", convolution(from, to, kernel))
                             : parent.register_module("3", convolution(from, to, kernel));
    return out;
  }

  Tensor embedding(const Tensor& c_noise, const Condition& condition, std::int64_t batch) const {
    const auto options = time0_->weight().options().requires_grad(false);
    const Tensor level = c_noise.to(at::promote_types(at::kFloat, time0_->weight().scalar_type()));
    Tensor e;
    if (frequencies_) {
      e = frequencies_->forward(level);
    } else {
      // [cos, sin] → [sin, cos]
      e = PositionalEmbedding(config_.channels, /*endpoint=*/true).forward(level);
      e = e.reshape({e.size(0), 2, -1}).flip(1).reshape(e.sizes());
    }
    e = time1_->forward(at::gelu(time0_->forward(e.to(options))));
    if (map_label_) e = e + map_label_->forward(class_rows(condition.labels, config_.num_classes, batch, options));
    return at::silu(e).expand({batch, e.size(1)});
  }

  Config config_;
  std::shared_ptr<LearnedFrequencies> frequencies_;
  std::shared_ptr<Linear> time0_, time1_, map_label_;
  std::shared_ptr<Conv2d> init_, out_;
  std::vector<Stage> downs_, ups_;
  std::unique_ptr<Block> mid0_, mid1_, final_;
  std::shared_ptr<Attention> mid_attention_;
};

Config read(Options& options, const NetworkContext& context) {
  Config c{.image = context.image, .num_classes = context.num_classes};
  c.channels = options.integer("channels", c.channels, between(4, 16384), "what the multipliers multiply, even");
  c.first = options.integer("first", c.channels, between(1, 16384), "of the first convolution");
  c.multipliers = options.integers("multipliers", c.multipliers, between(1, 64), "factor after each resolution");
  const std::size_t levels = c.multipliers.size();
  std::vector<std::int64_t> last(levels, 0);
  if (levels > 0) last.back() = 1;
  c.full_attention =
      options.integers("full_attention", last, between(0, 1), "of each resolution: 1 softmax, 0 linear attention");
  c.heads = options.integers("heads", std::vector<std::int64_t>(levels, 4), between(1, 1024),
                             "of the attention of each resolution");
  c.head_channels = options.integers("head_channels", std::vector<std::int64_t>(levels, 32), between(1, 4096),
                                     "of each head at each resolution");
  c.memory = options.integer("memory", c.memory, between(0, 4096), "learned keys and values of each attention");
  c.fourier = options.choice("embedding", "positional", {"positional", "fourier"}, "of the noise level") == "fourier";
  c.frequencies = options.integer("frequencies", c.frequencies, between(1, 4096), "of fourier");
  c.learned_variance = options.flag("learned_variance", c.learned_variance,
                                    "as many output channels again, for the variance; not used in sampling");
  return c;
}

// What does not fit, and of which option; "" if all does.
std::pair<std::string, std::string> problem(const Config& c) {
  const std::size_t levels = c.multipliers.size();
  if (levels == 0 || levels > 16) return {"multipliers", format("1 to 16 resolutions expected, found {}", levels)};
  for (const auto* values : {&c.full_attention, &c.heads, &c.head_channels})
    if (values->size() != levels)
      return {"multipliers", format("full_attention, heads and head_channels must have {} values too, found {}", levels,
                                    values->size())};
  if (c.image.height % (std::int64_t{1} << (levels - 1)) != 0 || c.image.width % (std::int64_t{1} << (levels - 1)) != 0)
    return {"multipliers",
            format("images of {}×{} cannot be halved {} times", c.image.height, c.image.width, levels - 1)};
  if (c.channels % 2 != 0) return {"channels", format("expected an even number, found {}", c.channels)};
  return {};
}

}  // namespace

std::shared_ptr<Network> make_lucidrains(Options& options, const NetworkContext& context) {
  Config c = read(options, context);
  const auto [option, reason] = problem(c);
  // Mistakes are recorded; a small network stands in until all of them are reported.
  if (!option.empty()) {
    options.reject(option, reason);
    c = {.image = c.image,
         .channels = 4,
         .first = 4,
         .multipliers = {1},
         .full_attention = {1},
         .heads = {1},
         .head_channels = {4}};
  }
  return std::make_shared<Lucidrains>(std::move(c));
}

}  // namespace edmund
