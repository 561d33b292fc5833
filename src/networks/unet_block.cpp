#include "edmund/networks/unet_block.h"

#include <ATen/ATen.h>
#include <utility>

namespace edmund {

UNetBlock::UNetBlock(Config config) : config_(std::move(config)) {
  const auto& c = config_;
  heads_ = c.attention ? c.heads.value_or(c.out / c.channels_per_head) : 0;
  TORCH_CHECK(heads_ == 0 || c.out % heads_ == 0, "UNetBlock: ", c.out, " channels do not split into ", heads_,
              " heads");
  const auto conv = [&](Conv2d::Config part) {
    part.resample_filter = c.resample_filter;
    return std::make_shared<Conv2d>(std::move(part));
  };
  norm0_ = register_module("norm0", std::make_shared<GroupNorm>(c.in, c.eps, c.groups_in > 0 ? c.groups_in : c.groups));
  conv0_ = register_module("conv0", conv({.in = c.in, .out = c.out, .up = c.up, .down = c.down, .init = c.init}));
  affine_ =
      register_module("affine", std::make_shared<Linear>(c.embedding, c.adaptive_scale ? 2 * c.out : c.out, c.init));
  norm1_ = register_module("norm1", std::make_shared<GroupNorm>(c.out, c.eps, c.groups));
  conv1_ = register_module("conv1", conv({.in = c.out, .out = c.out, .init = c.init_zero}));
  if (c.in != c.out || c.up || c.down) {
    const std::int64_t kernel = c.resample_projection || c.in != c.out ? 1 : 0;
    skip_ = register_module(
        "skip", conv({.in = c.in, .out = c.out, .kernel = kernel, .up = c.up, .down = c.down, .init = c.init}));
  }
  if (heads_ > 0) {
    if (c.groups_attention.value_or(1) > 0)
      norm2_ =
          register_module("norm2", std::make_shared<GroupNorm>(c.out, c.eps, c.groups_attention.value_or(c.groups)));
    qkv_ = register_module(
        "qkv", conv({.in = c.out, .out = 3 * c.out, .kernel = 1, .init = c.init_attention.value_or(c.init)}));
    proj_ = register_module("proj", conv({.in = c.out, .out = c.out, .kernel = 1, .init = c.init_zero}));
  }
}

Tensor UNetBlock::forward(const Tensor& x, const Tensor& embedding, const ops::DropoutKey* dropout) const {
  const auto& c = config_;
  const Tensor affine = affine_->forward(embedding);  // [B, out] or [B, 2·out]
  ops::GroupNorm second{.dropout = c.dropout, .key = dropout, .layer = c.layer, .inner = true};
  Tensor h = norm0_->forward(x, {.inner = !c.up && !c.down}, c.activation);
  if (c.adaptive_scale) {
    h = conv0_->forward(h, {.inner = true});
    second.scale = affine.narrow(1, 0, c.out);
    second.shift = affine.narrow(1, c.out, c.out);
  } else {
    h = conv0_->forward(h, {.per_sample = affine, .inner = true});
  }
  h = norm1_->forward(h, second, c.activation);
  h = conv1_->forward(h, {.residual = skip_ ? skip_->forward(x) : x, .scale = c.skip_scale});
  if (heads_ == 0) return h;
  const Tensor qkv = qkv_->forward(norm2_ ? norm2_->forward(h, {.silu = false, .inner = true}) : h);
  Tensor a = ops::attention(qkv, heads_);
  for (const auto& prefix : prefixes()) a = a + prefix->attended(qkv, heads_);
  return proj_->forward(a, {.residual = h, .scale = c.skip_scale});
}

}  // namespace edmund
