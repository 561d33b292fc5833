#pragma once

#include "edmund/core/philox.h"
#include "edmund/core/tensor.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The operators that networks and the trainer are written in. Each has a `reference` backend
/// (plain ATen, any device, the standard of correctness); faster ones are chosen at run time by
/// device and set_kernels(). Callers never name a backend, and the memory layout is up to the
/// operators: shapes are always [B, C, H, W], with any strides.
namespace edmund::ops {

enum class Kernels { kReference, kFast };
/// Process-wide choice (`kernels: reference|fast`); fast falls back to reference where there is no
/// fast kernel.
void set_kernels(Kernels kernels);
Kernels kernels();

/// How the fast kernels convolve with stride 1 on the CPU (`conv: winograd|exact`): by the Winograd
/// algorithm F(4×4, 3×3) (Lavin & Gray 2016), whose rounding error in whole networks is one to two
/// times that of a direct sum (`edmund bench --phase accuracy`), without gradients for filters of
/// 5×5, 1×3, 3×1, 1×7 and 7×1 too; or directly (ATen).
enum class ConvAlgorithm { kWinograd, kDirect };
void set_conv_algorithm(ConvAlgorithm algorithm);
ConvAlgorithm conv_algorithm();
/// The choice as text, for logs: "fast (avx512), 3x3 convolutions by winograd", "fast (cuda:0,
/// bf16)".
std::string kernels_text();

/// Invalidates the cache of packed weights. Call after changing weights through memory that
/// autograd does not version, such as flat memory that parameters are views of. adam_ema() calls
/// it.
void weights_changed();

/// Keys of a network's dropout: its random bits are a function of seed, sample and layer.
struct DropoutKey {
  std::uint64_t seed = 0;
  std::vector<std::int64_t> samples = {};  // global positions of the training images, [B]
  /// The same as int64 [B], in place of `samples`, where the network runs: recorded work reads them
  /// anew.
  Tensor positions = {};
};

/// 2-D convolution with its epilogue: y = (conv(x, weight) + bias +
/// per_sample + residual) · scale, then max(y, 0) if `relu`.
struct Conv2d {
  Tensor weight = {};      // [K, C, R, S], R and S odd
  Tensor bias = {};        // [K] or undefined
  Tensor per_sample = {};  // [B, K] or undefined: an embedding added to every pixel
  Tensor residual = {};    // [B, K, H, W] or undefined
  double scale = 1.0;
  /// Zeros on each side; by default R/2 and S/2, so that height and width stay the same.
  std::optional<std::int64_t> padding = std::nullopt;
  bool relu = false;
  bool inner = false;  // see below; without a residual
};
/// Stride 1, zero padding: [B, C, H, W] → [B, K, H, W].
Tensor conv2d(const Tensor& x, const Conv2d& args);

/// `inner` results are read by group_norm_silu() or conv2d() alone: the CPU may leave them in
/// bfloat16 where it computes in that.

/// y = dropout(silu(group_norm(x)·(1 + scale) + shift)); the statistics in float32 at least.
struct GroupNorm {
  std::int64_t groups = 32;
  double eps = 1e-5;
  Tensor weight = {}, bias = {};  // [C]
  Tensor scale = {}, shift = {};  // [B, C] or undefined (adaptive normalization)
  bool silu = true;
  double dropout = 0.0;             // probability of zero; survivors are divided by 1 - p
  const DropoutKey* key = nullptr;  // no dropout without one
  std::uint32_t layer = 0;          // index of the layer, which has random draws of its own
  bool inner = false;
};
/// [B, C, H, W] → same shape.
Tensor group_norm_silu(const Tensor& x, const GroupNorm& args);

/// Softmax attention of each pixel to all: qkv [B, 3C, H, W], channels of each head ordered as (c,
/// {q, k, v}), v fastest (NVlabs/edm UNetBlock's order). Scores are divided by √(C/heads). Returns
/// [B, C, H, W].
Tensor attention(const Tensor& qkv, std::int64_t heads);

/// The 2-D filter that `resample` applies: outer product of the taps over the square of their sum,
/// [1, 1, T, T] in float32 (the precision in which networks store it).
Tensor resample_filter(const std::vector<double>& taps);
/// Halves or doubles height and width through resample_filter(taps) (×4 for up), each channel
/// alone. An even number of taps. `padding`: zeros on each side before the filter, (taps-1)/2
/// halves or doubles exactly.
enum class Resample { kDown, kUp };
Tensor resample(const Tensor& x, Resample direction, const std::vector<double>& taps,
                std::optional<std::int64_t> padding = std::nullopt);

/// Largest pixel of each 3×3 window, each channel alone; NaN where there is one. `padding` rows and
/// columns around the image count as -∞.
Tensor max_pool(const Tensor& x, std::int64_t stride, std::int64_t padding);

/// Channels of a, then those of b: [B, C1, H, W], [B, C2, H, W] → [B, C1 + C2, H, W].
Tensor concat(const Tensor& a, const Tensor& b);

/// x · weightᵀ [O, I] + bias: of tokens [B, L, I] in precision(), of one row for each image [B, I]
/// in that of its numbers.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

/// A part of a gradient of flat memory: that of the elements from `first` on. Autograd leaves one
/// for each parameter, in memory of its own.
struct GradientPiece {
  std::int64_t first = 0;
  Tensor values = {};  // contiguous, any shape
};
/// Euclidean norm of all pieces together: [], of their device, in their dtype.
Tensor gradient_norm(const std::vector<GradientPiece>& gradient);

/// Elementwise Adam over flat memory, with everything around it in a training step, in one pass:
/// clean gradient → (clip) → moments → parameters → EMAs.
struct AdamStep {
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0.0;          // decoupled (AdamW)
  std::int64_t step = 1;              // 1-based, for the bias correction
  bool zero_nonfinite = false;        // NaN → 0, ±inf → ±1e5 (Karras et al. 2022, training loop)
  double gradient_scale = 1.0;        // multiplies the gradient after the clean-up (clipping)
  std::vector<double> ema_beta = {};  // one for each EMA copy: ema = lerp(parameters, ema, β)
};
/// All [P], one dtype, contiguous. Pieces do not overlap; elements that lie in none stay as they
/// are.
void adam_ema(Tensor& parameters, const std::vector<GradientPiece>& gradient, Tensor& first_moment,
              Tensor& second_moment, std::vector<Tensor>& ema, const AdamStep& args);

}  // namespace edmund::ops
