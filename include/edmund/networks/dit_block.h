#pragma once

#include "edmund/networks/condition.h"
#include "edmund/networks/layers.h"
#include "edmund/networks/prefix.h"

#include <array>
#include <cstdint>
#include <memory>

/// Parts of the diffusion transformer (Peebles & Xie 2023). Tokens are [B, L, width]; parameters
/// carry the names of facebookresearch/DiT.
namespace edmund {

/// Fixed position embedding of a rows × columns grid, [rows·columns, width] in double precision:
/// half the channels for the column, half for the row, each [sin, cos] of p·10000^(-i/(width/4))
/// (Vaswani et al. 2017, on two axes). Throws c10::Error unless width is a multiple of 4.
Tensor grid_embedding(std::int64_t width, std::int64_t rows, std::int64_t columns);

/// [cos, sin] of t·10000^(-i/(n - shift)), n = width/2 rounded down, and a zero for odd widths: [B]
/// → [B, width], in the dtype of t.
Tensor timestep_sinusoid(const Tensor& t, std::int64_t width, double shift = 0.0);

/// Patches of the image as tokens: [B, C, H, W] → [B, (H/patch)·(W/patch), width], row by row.
class PatchEmbedding : public torch::nn::Module {
 public:
  PatchEmbedding(std::int64_t channels, std::int64_t patch, std::int64_t width);
  Tensor forward(const Tensor& x) const;

 private:
  class Projection;
  std::int64_t patch_;
  std::shared_ptr<Projection> proj_;
};

/// Noise input [B] → [B, width]: sinusoid, linear, SiLU, linear.
class TimestepEmbedding : public torch::nn::Module {
 public:
  explicit TimestepEmbedding(std::int64_t width, std::int64_t frequencies = 256, double shift = 0.0);
  /// At least in float32 up to the first linear layer.
  Tensor forward(const Tensor& t) const;

 private:
  std::int64_t frequencies_;
  double shift_;
  std::shared_ptr<Linear> in_, out_;
};

/// Class → row of a table, whose last row, if `null_class`, stands for "no class". Rows of class
/// shares (Condition::labels as float) mix the table's rows; what they lack of 1 is "no class".
class LabelEmbedding : public torch::nn::Module {
 public:
  LabelEmbedding(std::int64_t classes, bool null_class, std::int64_t width);
  /// labels as in Condition → [B or 1, width]. Without a null row, "no class" gives zeros.
  Tensor forward(const Tensor& labels, std::int64_t batch) const;

 private:
  class Table;
  std::int64_t classes_;
  bool null_class_;
  std::shared_ptr<Table> table_;
};

/// Transformer block with adaLN-zero (Peebles & Xie 2023, figure 3).
class DiTBlock : public torch::nn::Module, public Attending {
 public:
  static constexpr double kEps = 1e-6;  // of its layer norms

  /// `mlp_eps`: of the norm before the MLP.
  DiTBlock(std::int64_t width, std::int64_t heads, std::int64_t hidden, double mlp_eps = kEps);
  /// tokens [B, L, width], condition c [B, width] → [B, L, width].
  Tensor forward(const Tensor& tokens, const Tensor& c) const;

  /// Shift, scale and gate of the attention, then of the MLP: six of [B, width].
  std::array<Tensor, 6> modulation(const Tensor& c) const;
  /// The two branches, of tokens already normalized.
  Tensor attention(const Tensor& tokens) const;
  Tensor mlp(const Tensor& tokens) const;
  std::int64_t attention_width() const override { return width_; }

 private:
  std::int64_t width_, heads_;
  double mlp_eps_;
  std::shared_ptr<Linear> qkv_, proj_, fc1_, fc2_, modulation_;
};

/// Layer norm with adaptive shift and scale, then a linear layer: [B, L, width] → [B, L, out].
class DiTFinalLayer : public torch::nn::Module {
 public:
  DiTFinalLayer(std::int64_t width, std::int64_t out);
  Tensor forward(const Tensor& tokens, const Tensor& c) const;

 private:
  std::shared_ptr<Linear> linear_, modulation_;
};

/// Inverse of cutting into patches: [B, rows·columns, patch²·C] (channel fastest) → [B, C,
/// rows·patch, columns·patch].
Tensor image_of_patches(const Tensor& tokens, std::int64_t patch, std::int64_t rows, std::int64_t columns);

}  // namespace edmund
