#pragma once

#include "edmund/core/tensor.h"
#include "edmund/evaluation/drawn_distance.h"

namespace edmund {

/// Squared maximum mean discrepancy of all drawn features [N, D] to all real ones [M, D], unbiased,
/// with the cubic kernel (x·y/D + 1)³ (Bińkowski et al. 2018, sec. 4). Influences by the jackknife,
/// for N > 2. Called KID only with Inception-v3 features; literature takes the mean over 100
/// subsets of 1,000 images, which has the same mean and a larger error.
/// Takes (N + M)² kernels, a block at a time.
DrawnDistance kernel_distance(const Tensor& drawn, const Tensor& real);

}  // namespace edmund
