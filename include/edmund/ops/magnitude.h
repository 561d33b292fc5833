#pragma once

#include "edmund/ops/ops.h"

/// Operators that keep the mean square of their inputs (Karras et al. 2024, appendix B).
namespace edmund::ops {

/// x / (1e-4 + ‖x‖/√n), norms in float32 at least over the n elements along `dims`. Zeros stay
/// zeros. Same shape and dtype.
Tensor normalized(const Tensor& x, at::IntArrayRef dims);
/// Each filter of a weight [out, in, …] by itself, times `gain`. Without gradients the result is
/// kept until the weight changes.
Tensor normalized_filters(const Tensor& weight, double gain = 1.0);
/// Queries, keys and values of each head by themselves: qkv [B, 3C, H, W] as attention() takes it.
Tensor normalized_heads(const Tensor& qkv, std::int64_t heads);

/// silu(x·scale)/0.596: unit variance for standard normal x·scale (eq. 81). Any shape; with a scale
/// [B, C], x is [B, C, H, W].
Tensor mp_silu(const Tensor& x, const Tensor& scale = {});
/// ((1-t)·a + t·b)/√((1-t)² + t²), shapes as in a sum (eq. 88).
Tensor mp_sum(const Tensor& a, const Tensor& b, double t);
/// Channels of a, then those of b, [B, C1, H, W], [B, C2, H, W] → [B, C1 + C2, H, W], scaled so
/// that both contribute as 1-t to t, whatever their widths (eq. 103).
Tensor mp_concat(const Tensor& a, const Tensor& b, double t);

/// Zero with probability p, else x/(1-p): a function of seed, sample and layer; x itself without a
/// key. x [B, …]. Throws c10::Error for p outside [0, 1) or keys for another number of images.
Tensor dropout(const Tensor& x, double p, const DropoutKey* key, std::uint32_t layer);

}  // namespace edmund::ops
