#pragma once

#include "cpu/kernels.h"
#include "fast.h"
#include "packed_weights.h"

#include <cstdint>
#include <optional>

/// The parts that conv2d has on the CPU.
namespace edmund::ops::cpu {

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

/// The tile of the Winograd algorithm for a filter of R × S, if there is one.
std::optional<WinogradTile> winograd_tile(std::int64_t R, std::int64_t S);

/// Convolution of x [B, C, H, W], channels-last, with a weight that winograd_tile() has a tile for
/// and `padding` (rows, columns) zeros around it. kWinogradBackward: the transposed one, of a 3×3
/// filter and one zero.
Tensor winograd(const Tensor& x, const Tensor& weight, Packing packing, Caching caching, at::IntArrayRef padding,
                const FoldedEpilogue& epilogue);

/// Gradient of the weight [K, C, 3, 3] times `scale`, of a 3×3 convolution of x with one zero
/// around it that had the gradient dy; both channels-last.
Tensor winograd_weight_gradient(const Tensor& x, const Tensor& dy, float scale);

}  // namespace edmund::ops::cpu
