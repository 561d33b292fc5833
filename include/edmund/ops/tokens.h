#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>

/// Operators of transformers. Tokens are [B, L, C]: L vectors of C channels for each image.
namespace edmund::ops {

/// y = n(x)·(1 + scale) + shift, where n gives each token mean 0 and variance 1 without weights of
/// its own (Ba et al. 2016; modulated as in Peebles & Xie 2023, section 3.2). x [B, L, C]; shift
/// and scale [B, C], both or neither. Statistics in float32 at least. Throws c10::Error for other
/// shapes.
Tensor layer_norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale, double eps);

/// x·Φ(x) with Φ approximated by tanh (Hendrycks & Gimpel 2016). Any shape.
Tensor gelu_tanh(const Tensor& x);

/// h + gate·x, where a branch joins the main path (adaLN-zero, Peebles & Xie 2023, figure 3). h, x
/// [B, L, C]; gate [B, C]. Throws c10::Error for other shapes.
Tensor gated_sum(const Tensor& h, const Tensor& gate, const Tensor& x);

/// Softmax attention of each token to all: qkv [B, L, 3C], channels ordered as ({q, k, v}, head,
/// c), c fastest. Scores are divided by √(C/heads). Returns [B, L, C]. Throws c10::Error where C
/// does not split into the heads.
Tensor token_attention(const Tensor& qkv, std::int64_t heads);

}  // namespace edmund::ops
