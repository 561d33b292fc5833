#pragma once

#include "edmund/core/tensor.h"

#include <cstddef>

namespace edmund::ops::cpu {

/// What products are made of: float32, or numbers rounded to bfloat16 (bf16_kernels()).
enum class Multiply { kFloat32, kBfloat16 };

/// Layouts of a convolution's weight [K, C, R, S] for the kernels: panels of columns, see
/// KernelTable.
enum class Packing {
  kMatrix,            // 1×1: C deep, K columns
  kMatrixBackward,    // 1×1: K deep, C columns
  kWinograd,          // of a filter that winograd_tile() knows: one plane for each point
  kWinogradBackward,  // the same rotated, K and C exchanged: the gradient for the input
  kMatrixBf16,        // the same four in pairs for Bf16Kernels
  kMatrixBf16Backward,
  kWinogradBf16,
  kWinogradBf16Backward,
  kBf16  // the weight itself as bfloat16, channels-last
};
Packing matrix_packing(bool backward, Multiply multiply);
Packing winograd_packing(bool backward, Multiply multiply);

/// kOn, for sampling: the packed weight is cached until the weight changes, be it through
/// autograd's version counter, set_data or weights_changed(). kOff, for training, where weights
/// change at each step.
enum class Caching { kOff, kOn };
Tensor packed_weight(const Tensor& weight, Packing packing, Caching caching);

/// The layouts kWinograd and the like.
Tensor winograd_packed(const Tensor& weight, bool backward, Multiply multiply);

/// unit_filters() of a weight that is not trained, kept until it changes.
Tensor kept_filters(const Tensor& weight, double gain);

/// How often packed_weight() has packed a weight (tests).
std::size_t packed_weight_count();

}  // namespace edmund::ops::cpu
