#pragma once

#include "edmund/ops/ops.h"

/// Operators that keep the mean square of their inputs (Karras et al. 2024, appendix B). They have
/// a `reference` backend only.
namespace edmund::ops {

/// x / (1e-4 + ‖x‖/√n), norms in float32 at least over the n elements along `dims`. Zeros stay
/// zeros. Same shape and dtype.
Tensor normalized(const Tensor& x, at::IntArrayRef dims);
/// Each filter of a weight [out, in, …] by itself.
Tensor normalized_filters(const Tensor& weight);

/// silu(x)/0.596: unit variance for standard normal x (eq. 81).
Tensor mp_silu(const Tensor& x);
/// ((1-t)·a + t·b)/√((1-t)² + t²), shapes as in a sum (eq. 88).
Tensor mp_sum(const Tensor& a, const Tensor& b, double t);
/// Channels of a, then those of b, [B, C1, H, W], [B, C2, H, W] → [B, C1 + C2, H, W], scaled so
/// that both contribute as 1-t to t, whatever their widths (eq. 103).
Tensor mp_concat(const Tensor& a, const Tensor& b, double t);

/// Zero with probability p, else x/(1-p): a function of seed, sample and layer; x itself without a
/// key. x [B, …]. Throws c10::Error for p outside [0, 1) or keys for another number of images.
Tensor dropout(const Tensor& x, double p, const DropoutKey* key, std::uint32_t layer);

}  // namespace edmund::ops
