#include "edmund/networks/dit_block.h"

#include "edmund/ops/ops.h"
#include "edmund/ops/tokens.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <string>

namespace edmund {
namespace {

// Initial weights of facebookresearch/DiT: Glorot uniform, biases zero; N(0, 0.02²) for embeddings;
// zero for what modulates and for the last layer.
constexpr Init kInit{.draw = Draw::kXavierUniform};
constexpr Init kInitZero{.draw = Draw::kXavierUniform, .weight = 0.0};
constexpr double kEmbeddingStd = 0.02;

Init init_embedding(std::int64_t in) {
  return {.draw = Draw::kKaimingNormal, .weight = kEmbeddingStd * std::sqrt(static_cast<double>(in))};
}

std::shared_ptr<torch::nn::Module> group(torch::nn::Module& parent, const std::string& name) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>());
}
std::shared_ptr<Linear> linear(torch::nn::Module& parent, const std::string& name, std::int64_t in, std::int64_t out,
                               const Init& init) {
  return parent.register_module(name, std::make_shared<Linear>(in, out, init));
}

// [sin, cos] of p [L] on `width` channels, [L, width].
Tensor axis_embedding(const Tensor& p, std::int64_t width) {
  const std::int64_t n = width / 2;
  const Tensor angles = at::outer(p, at::pow(10000.0, -at::arange(n, p.options()) / n));
  return at::cat({angles.sin(), angles.cos()}, 1);
}

}  // namespace

Tensor grid_embedding(std::int64_t width, std::int64_t rows, std::int64_t columns) {
  TORCH_CHECK(width > 0 && width % 4 == 0, "grid_embedding: width ", width, " is not a multiple of 4");
  const Tensor row = at::arange(rows, at::kDouble).repeat_interleave(columns),
               column = at::arange(columns, at::kDouble).repeat({rows});
  return at::cat({axis_embedding(column, width / 2), axis_embedding(row, width / 2)}, 1);
}

Tensor timestep_sinusoid(const Tensor& t, std::int64_t width, double shift) {
  TORCH_CHECK(t.dim() == 1 && width >= 2, "timestep_sinusoid: t ", t.sizes(), ", width ", width);
  const std::int64_t n = width / 2;
  const Tensor angles =
      at::outer(t, at::exp(at::arange(n, t.options()) * -std::log(10000.0) / (static_cast<double>(n) - shift)));
  const Tensor out = at::cat({angles.cos(), angles.sin()}, 1);
  return width % 2 == 0 ? out : at::constant_pad_nd(out, {0, 1});
}

// Weight [width, C, patch, patch], drawn like that of a linear layer on C·patch² values.
class PatchEmbedding::Projection : public Layer {
 public:
  Projection(std::int64_t channels, std::int64_t patch, std::int64_t width) {
    weight = register_parameter("weight", at::zeros({width, channels, patch, patch}));
    bias = register_parameter("bias", at::zeros({width}));
  }
  void initialize(WeightSource& source) override {
    const at::NoGradGuard no_grad;
    const auto fans = static_cast<double>(weight.size(0) + weight[0].numel());
    weight.copy_(source.uniform(weight.sizes()) * std::sqrt(6.0 / fans));
    bias.zero_();
  }
  Tensor adaptable() const override { return weight; }
  Tensor kernel() const { return changed(weight); }
  Tensor weight, bias;
};

PatchEmbedding::PatchEmbedding(std::int64_t channels, std::int64_t patch, std::int64_t width) : patch_(patch) {
  proj_ = register_module("proj", std::make_shared<Projection>(channels, patch, width));
}

Tensor PatchEmbedding::forward(const Tensor& x) const {
  const std::int64_t B = x.size(0), C = x.size(1), h = x.size(2) / patch_, w = x.size(3) / patch_;
  const Tensor patches = x.reshape({B, C, h, patch_, w, patch_}).permute({0, 2, 4, 1, 3, 5});
  const Tensor rows = patches.reshape({B, h * w, C * patch_ * patch_});
  return ops::linear(rows, proj_->kernel().flatten(1), proj_->bias);
}

TimestepEmbedding::TimestepEmbedding(std::int64_t width, std::int64_t frequencies, double shift)
    : frequencies_(frequencies), shift_(shift) {
  const auto mlp = group(*this, "mlp");
  in_ = linear(*mlp, "0", frequencies, width, init_embedding(frequencies));
  out_ = linear(*mlp, "2", width, width, init_embedding(width));
}

Tensor TimestepEmbedding::forward(const Tensor& t) const {
  const auto dtype = in_->weight().scalar_type();
  const Tensor waves = timestep_sinusoid(t.to(at::promote_types(at::kFloat, dtype)), frequencies_, shift_);
  return out_->forward(at::silu(in_->forward(waves.to(dtype))));
}

class LabelEmbedding::Table : public Layer {
 public:
  Table(std::int64_t rows, std::int64_t width) { weight = register_parameter("weight", at::zeros({rows, width})); }
  void initialize(WeightSource& source) override {
    const at::NoGradGuard no_grad;
    weight.copy_(source.normal(weight.sizes()) * kEmbeddingStd);
  }
  Tensor adaptable() const override { return weight; }
  bool is_table() const override { return true; }
  Tensor rows() const { return changed(weight); }
  Tensor weight;
};

LabelEmbedding::LabelEmbedding(std::int64_t classes, bool null_class, std::int64_t width)
    : classes_(classes), null_class_(null_class) {
  table_ = register_module("embedding_table", std::make_shared<Table>(classes + (null_class ? 1 : 0), width));
}

Tensor LabelEmbedding::forward(const Tensor& labels, std::int64_t batch) const {
  Tensor rows = class_rows(labels, classes_, batch, table_->weight.options().requires_grad(false));
  if (null_class_) rows = at::cat({rows, 1 - rows.sum(1, /*keepdim=*/true)}, 1);
  return at::mm(rows, table_->rows());
}

DiTBlock::DiTBlock(std::int64_t width, std::int64_t heads, std::int64_t hidden, double mlp_eps)
    : width_(width), heads_(heads), mlp_eps_(mlp_eps) {
  const auto attn = group(*this, "attn"), mlp = group(*this, "mlp"), adaptive = group(*this, "adaLN_modulation");
  qkv_ = linear(*attn, "qkv", width, 3 * width, kInit);
  proj_ = linear(*attn, "proj", width, width, kInit);
  fc1_ = linear(*mlp, "fc1", width, hidden, kInit);
  fc2_ = linear(*mlp, "fc2", hidden, width, kInit);
  modulation_ = linear(*adaptive, "1", width, 6 * width, kInitZero);
}

std::array<Tensor, 6> DiTBlock::modulation(const Tensor& c) const {
  const auto parts = modulation_->forward(at::silu(c)).chunk(6, 1);
  return {parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]};
}

Tensor DiTBlock::attention(const Tensor& tokens) const {
  const Tensor qkv = qkv_->forward(tokens);
  Tensor a = ops::token_attention(qkv, heads_);
  for (const auto& prefix : prefixes()) a = a + prefix->attended_tokens(qkv, heads_);
  return proj_->forward(a);
}

Tensor DiTBlock::mlp(const Tensor& tokens) const { return fc2_->forward(ops::gelu_tanh(fc1_->forward(tokens))); }

Tensor DiTBlock::forward(const Tensor& tokens, const Tensor& c) const {
  const auto [shift1, scale1, gate1, shift2, scale2, gate2] = modulation(c);
  const Tensor h = ops::gated_sum(tokens, gate1, attention(ops::layer_norm_modulate(tokens, shift1, scale1, kEps)));
  return ops::gated_sum(h, gate2, mlp(ops::layer_norm_modulate(h, shift2, scale2, mlp_eps_)));
}

DiTFinalLayer::DiTFinalLayer(std::int64_t width, std::int64_t out) {
  linear_ = linear(*this, "linear", width, out, kInitZero);
  modulation_ = linear(*group(*this, "adaLN_modulation"), "1", width, 2 * width, kInitZero);
}

Tensor DiTFinalLayer::forward(const Tensor& tokens, const Tensor& c) const {
  const auto parts = modulation_->forward(at::silu(c)).chunk(2, 1);
  return linear_->forward(ops::layer_norm_modulate(tokens, parts[0], parts[1], DiTBlock::kEps));
}

Tensor image_of_patches(const Tensor& tokens, std::int64_t patch, std::int64_t rows, std::int64_t columns) {
  const std::int64_t B = tokens.size(0), C = tokens.size(2) / (patch * patch);
  return tokens.reshape({B, rows, columns, patch, patch, C})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({B, C, rows * patch, columns * patch});
}

}  // namespace edmund
