#include "edmund/networks/magnitude_preserving.h"

#include "edmund/ops/magnitude.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <numbers>
#include <utility>

namespace edmund {

MPConv::MPConv(std::int64_t in, std::int64_t out, std::int64_t kernel) : kernel_(kernel) {
  TORCH_CHECK(kernel == 0 || kernel % 2 == 1, "MPConv: kernel ", kernel);
  std::vector<std::int64_t> shape{out, in};
  if (kernel > 0) shape.insert(shape.end(), {kernel, kernel});
  weight_ = register_parameter("weight", at::zeros(shape));
}

Tensor MPConv::filters(at::ScalarType dtype, double factor) const {
  const auto wide = at::promote_types(at::kFloat, weight_.scalar_type());
  const double fan_in = static_cast<double>(weight_.numel() / weight_.size(0));
  return ops::normalized_filters(changed(weight_).to(wide), factor / std::sqrt(fan_in)).to(dtype);
}

Tensor MPConv::forward(const Tensor& x, const Tensor& gain) const {
  Tensor w = filters(x.scalar_type());
  if (gain.defined()) w = w * gain.to(w.scalar_type());
  return kernel_ == 0 ? ops::linear(x, w, {}) : ops::conv2d(x, {.weight = w});
}

Tensor MPConv::joined(const Tensor& x, const Tensor& main, double t) const {
  const double norm = std::hypot(1.0 - t, t);
  // The epilogue has one scale for both of its terms.
  if (t == 1.0) return forward(x);
  const Tensor w = filters(x.scalar_type(), t / (1.0 - t));
  return ops::conv2d(x, {.weight = w, .residual = main, .scale = (1.0 - t) / norm});
}

void MPConv::initialize(WeightSource& source) {
  const at::NoGradGuard no_grad;
  weight_.copy_(source.normal(weight_.sizes()));
  normalize();
}

void MPConv::normalize() {
  const at::NoGradGuard no_grad;
  weight_.copy_(ops::normalized_filters(weight_));
}

MPFourier::MPFourier(std::int64_t channels) {
  freqs_ = register_buffer("freqs", at::zeros({channels}));
  phases_ = register_buffer("phases", at::zeros({channels}));
}

Tensor MPFourier::forward(const Tensor& x) const {
  const auto wide = at::promote_types(at::kFloat, x.scalar_type());
  const Tensor angles = at::outer(x.to(wide), freqs_.to(wide)) + phases_.to(wide);
  return (angles.cos() * std::numbers::sqrt2).to(x.scalar_type());  // [B, channels]
}

void MPFourier::initialize(WeightSource& source) {
  freqs_.copy_(source.normal(freqs_.sizes()) * (2 * std::numbers::pi));
  phases_.copy_((source.uniform(phases_.sizes()) + 1) * std::numbers::pi);
}

MPBlock::MPBlock(Config config)
    : config_(std::move(config)), heads_(config_.attention ? config_.out / config_.channels_per_head : 0) {
  const auto& c = config_;
  TORCH_CHECK(!(c.up && c.down), "MPBlock: both up and down");
  TORCH_CHECK(heads_ == 0 || c.out % heads_ == 0, "MPBlock: ", c.out, " channels in ", heads_, " heads");
  const auto conv = [&](const char* name, std::int64_t in, std::int64_t out, std::int64_t kernel) {
    return register_module(name, std::make_shared<MPConv>(in, out, kernel));
  };
  emb_gain_ = register_parameter("emb_gain", at::zeros({}));
  conv_res0_ = conv("conv_res0", c.flavor == Flavor::kEncoder ? c.out : c.in, c.out, 3);
  emb_linear_ = conv("emb_linear", c.embedding, c.out, 0);
  conv_res1_ = conv("conv_res1", c.out, c.out, 3);
  if (c.in != c.out) conv_skip_ = conv("conv_skip", c.in, c.out, 1);
  if (heads_ > 0) {
    attn_qkv_ = conv("attn_qkv", c.out, 3 * c.out, 1);
    attn_proj_ = conv("attn_proj", c.out, c.out, 1);
  }
}

Tensor MPBlock::forward(const Tensor& input, const Tensor& embedding, const ops::DropoutKey* dropout) const {
  const auto& c = config_;
  Tensor x = input;
  if (c.up || c.down) x = ops::resample(x, c.up ? ops::Resample::kUp : ops::Resample::kDown, c.resample_filter);
  const bool encodes = c.flavor == Flavor::kEncoder;
  if (encodes && conv_skip_) x = conv_skip_->forward(x);
  if (encodes) x = ops::normalized(x, {1});

  Tensor y = conv_res0_->forward(ops::mp_silu(x));
  y = ops::mp_silu(y, emb_linear_->forward(embedding, emb_gain_) + 1);
  y = ops::dropout(y, c.dropout, dropout, c.layer);

  if (!encodes && conv_skip_) x = conv_skip_->forward(x);
  x = conv_res1_->joined(y, x, c.res_balance);
  if (heads_ > 0) x = attn_proj_->joined(attended(x), x, c.attn_balance);
  return c.clip_act > 0.0 ? x.clamp(-c.clip_act, c.clip_act) : x;
}

// Cosine attention: q, k and v of unit magnitude over the channels of a head.
Tensor MPBlock::attended(const Tensor& x) const {
  return ops::attention(ops::normalized_heads(attn_qkv_->forward(x), heads_), heads_);
}

void MPBlock::initialize(WeightSource&) {
  const at::NoGradGuard no_grad;
  emb_gain_.zero_();
}

void normalize_weights(torch::nn::Module& module) {
  for (const auto& part : module.modules(/*include_self=*/false))
    if (auto* conv = dynamic_cast<MPConv*>(part.get()); conv && conv->weight().requires_grad()) conv->normalize();
}

}  // namespace edmund
