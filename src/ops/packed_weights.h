#pragma once

#include "edmund/core/tensor.h"

#include <cstddef>

namespace edmund::ops::cpu {

/// Forms that a convolution's weight [K, C, R, S] takes for the kernels: panels of columns, see KernelTable.
enum class Packing {
  kMatrix,            // 1×1: C deep, K columns
  kMatrixBackward,    // 1×1: K deep, C columns
  kWinograd,          // of a filter that winograd_form() knows: one plane for each point
  kWinogradBackward,  // the same rotated, K and C exchanged: the gradient for the input
  kBf16               // the weight itself as bfloat16, channels-last
};

/// kKeep, for sampling: the form is kept until the weight changes, be it by an operation that counts its version, by set_data, or by whoever calls
/// weights_changed(). kOnce, for training, where weights change each step.
enum class Use { kOnce, kKeep };
Tensor packed_weight(const Tensor& weight, Packing packing, Use use);

/// The forms kWinograd and kWinogradBackward.
Tensor winograd_packed(const Tensor& weight, bool backward);

/// How often packed_weight() has made a form (tests).
std::size_t packed_weight_count();

}  // namespace edmund::ops::cpu
