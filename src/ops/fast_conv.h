#pragma once

#include "conv2d_function.h"
#include "cpu/bf16_kernels.h"
#include "fast.h"
#include "packed_weights.h"

#include <cstdint>
#include <optional>

/// The parts that conv2d has on the CPU.
namespace edmund::ops::cpu {

/// In which numbers products are made now: precision(), where that is faster.
Multiply chosen_multiply();

/// The tensors of an Epilogue: bias and per_sample are folded into the addends of each image.
struct FoldedEpilogue {
  Tensor add = {};  // (bias + per_sample)·scale, [B or 1, K], or undefined
  Tensor residual = {};
  float scale = 1.0F;
  bool relu = false;

  Epilogue all() const {
    return {.add = data_or_null(add),
            .add_stride = add.defined() && add.size(0) > 1 ? add.size(1) : 0,
            .residual = data_or_null(residual),
            .scale = scale,
            .relu = relu};
  }
  /// For one image, from element `at` of the result on.
  Epilogue of_image(std::int64_t image, std::int64_t at) const {
    Epilogue out = all();
    if (out.add != nullptr) out.add += image * out.add_stride;
    if (out.residual != nullptr) out.residual += at;
    return out;
  }
};

/// LibTorch's convolution of x, channels-last, in the dtype of the weight, and its gradients of x
/// and weight times `scale`, float32: for training, the same bits on any number of threads.
Tensor library_conv2d(const Tensor& x, const Tensor& weight, at::IntArrayRef padding);
ConvGradients library_conv2d_backward(const Tensor& x, const Tensor& weight, const Tensor& dy, double scale,
                                      at::IntArrayRef padding, const InputGrads& grads);

/// Rows [N, C], contiguous, as an image [1, C, N, 1] in the order of the kernels: the same memory.
Tensor as_image(const Tensor& rows);

/// x [B, C, H, W], channels-last, times the 1×1 weight or (`backward`) its transpose, in `dtype`;
/// or times one that is packed, as many outputs as y has.
Tensor matrix(const Tensor& x, const Tensor& weight, bool backward, Multiply multiply, Caching caching,
              const FoldedEpilogue& epilogue, at::ScalarType dtype = at::kFloat);
void matrix_into(const Tensor& y, const Tensor& x, const Tensor& packed, const FoldedEpilogue& epilogue,
                 Multiply multiply);

/// Gradient of that weight, [K, C, 1, 1], times `scale`; dy [B, K, H, W] channels-last.
Tensor matrix_weight_gradient(const Tensor& x, const Tensor& dy, float scale, Multiply multiply);

/// Σ dy·scale over the pixels of each image, [B, K], rows perhaps apart; dy·scale itself to
/// `scaled` unless null.
Tensor pixel_sums(const Tensor& dy, float scale, float* scaled);

/// The tile of the Winograd algorithm for a filter of R × S, if there is one.
std::optional<WinogradTile> winograd_tile(std::int64_t R, std::int64_t S);

/// Convolution of x [B, C, H, W], channels-last, with a weight that winograd_tile() has a tile for
/// and `padding` (rows, columns) zeros around it. `backward`: the transposed one, of a 3×3 filter
/// and one zero.
Tensor winograd(const Tensor& x, const Tensor& weight, bool backward, Multiply multiply, Caching caching,
                at::IntArrayRef padding, const FoldedEpilogue& epilogue);

/// Gradient of the weight [K, C, 3, 3] times `scale`, of a 3×3 convolution of x with one zero
/// around it that had the gradient dy; both channels-last.
Tensor winograd_weight_gradient(const Tensor& x, const Tensor& dy, float scale, Multiply multiply);

/// Convolution with a weight [K, C, 3, 3] as winograd(), one zero around x, by Bf16Kernels::direct,
/// and the gradient of the weight. Of a gradient 1×1 filters too.
Tensor direct(const Tensor& x, const Tensor& weight, bool backward, Caching caching, const FoldedEpilogue& epilogue,
              at::ScalarType dtype = at::kFloat);
Tensor direct_weight_gradient(const Tensor& x, const Tensor& dy, std::int64_t taps, float scale);

}  // namespace edmund::ops::cpu
