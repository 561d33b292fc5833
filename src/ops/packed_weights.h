#pragma once

#include "edmund/core/tensor.h"

#include <cstddef>
#include <tuple>

namespace edmund::ops::cpu {

/// What products are made of: float32, or numbers rounded to bfloat16 (bf16_kernels()).
enum class Multiply { kFloat32, kBfloat16 };

/// How a convolution's weight [K, C, R, S] lies for the kernels.
enum class Layout {
  kMatrix,    // 1×1: panels of columns, C deep, see KernelTable
  kWinograd,  // of a filter that winograd_tile() knows: such panels for each point
  kDirect,    // 3×3: such panels for each tap, in bfloat16
  kLibrary    // as it is, in bfloat16, channels-last
};
struct Packing {
  Layout layout = Layout::kMatrix;
  bool backward = false;  // turned by 180°, K and C exchanged: the gradient for the input
  Multiply multiply = Multiply::kFloat32;

  bool operator<(const Packing& other) const {
    return std::tie(layout, backward, multiply) < std::tie(other.layout, other.backward, other.multiply);
  }
};

/// kOn, for sampling: the packed weight is cached until the weight changes, be it through
/// autograd's version counter, set_data or weights_changed(). kOff, for training, where weights
/// change at each step.
enum class Caching { kOff, kOn };
Tensor packed_weight(const Tensor& weight, const Packing& packing, Caching caching);

/// Those layouts.
Tensor winograd_packed(const Tensor& weight, bool backward, Multiply multiply);
Tensor direct_packed(const Tensor& weight, bool backward);

/// unit_filters() of a weight that is not trained, kept until it changes.
Tensor kept_filters(const Tensor& weight, double gain);

/// How often packed_weight() has packed a weight (tests).
std::size_t packed_weight_count();

}  // namespace edmund::ops::cpu
