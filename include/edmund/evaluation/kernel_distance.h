#pragma once

#include "edmund/core/tensor.h"
#include "edmund/evaluation/estimate.h"

#include <cstdint>

namespace edmund {

/// Squared maximum mean discrepancy, unbiased, with the cubic kernel (x·y/D + 1)³ (Bińkowski et al.
/// 2018, sec. 4) of features [N, D], [M, D]: of the whole sets with the jackknife's standard error
/// (subsets = 0), or the mean over `subsets` random subsets of `subset_size` rows and the standard
/// error of that mean. Called KID only with Inception-v3 features.
Estimate kernel_distance(const Tensor& a, const Tensor& b, std::int64_t subsets = 0, std::int64_t subset_size = 0,
                         std::uint64_t seed = 0);

}  // namespace edmund
