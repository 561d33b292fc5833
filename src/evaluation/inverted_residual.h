#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>

namespace edmund {

/// Weights of a mobile inverted bottleneck without squeeze and excitation (Sandler et al. 2018):
/// 1x1 expansion, depthwise k x k, each with ReLU6, then a 1x1 projection.
struct InvertedResidual {
  Tensor expand, expand_bias;    // [in, wide], [wide]; undefined: wide = in, nothing is expanded
  Tensor taps, taps_bias;        // [k·k, wide], [wide]
  Tensor project, project_bias;  // [wide, out], [out]
  std::int64_t kernel = 3, stride = 1;
  bool adds_input = false;
};

/// x float32 [B, in, H, W] → [B, out, ⌈H/stride⌉, ⌈W/stride⌉], both channels-last, with
/// TensorFlow's SAME padding: of what it takes, the odd row and column lie at the bottom and right.
/// A few rows at a time go through all three steps: the wide values, which are most of the work's
/// memory, never leave the cache.
Tensor applied(const InvertedResidual& block, const Tensor& x);

}  // namespace edmund
