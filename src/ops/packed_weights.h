#pragma once

#include "edmund/core/tensor.h"

#include <cstddef>

namespace edmund::ops::cpu {

/// Layouts of a convolution's weight [K, C, R, S] for the kernels: panels of columns, see
/// KernelTable.
enum class Packing {
  kMatrix,            // 1×1: C deep, K columns
  kMatrixBackward,    // 1×1: K deep, C columns
  kWinograd,          // of a filter that winograd_tile() knows: one plane for each point
  kWinogradBackward,  // the same rotated, K and C exchanged: the gradient for the input
  kBf16               // the weight itself as bfloat16, channels-last
};

/// kOn, for sampling: the packed weight is cached until the weight changes, be it through
/// autograd's version counter, set_data or weights_changed(). kOff, for training, where weights
/// change at each step.
enum class Caching { kOff, kOn };
Tensor packed_weight(const Tensor& weight, Packing packing, Caching caching);

/// The layouts kWinograd and kWinogradBackward.
Tensor winograd_packed(const Tensor& weight, bool backward);

/// unit_filters() of a weight that is not trained, kept until it changes.
Tensor kept_filters(const Tensor& weight, double gain);

/// How often packed_weight() has packed a weight (tests).
std::size_t packed_weight_count();

}  // namespace edmund::ops::cpu
