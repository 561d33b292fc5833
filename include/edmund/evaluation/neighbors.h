#pragma once

#include "edmund/core/tensor.h"
#include "edmund/evaluation/estimate.h"

#include <cstdint>

namespace edmund {

/// Whether a point at exactly the radius lies in the ball: `closed` in Kynkäänniemi et al. 2019
/// (eq. 1) and torch-fidelity, `open` in Naeem et al.
/// 2020 (eqs. 4-5) and prdc.
enum class Ball { kClosed, kOpen };

struct PrecisionRecall {
  double precision = 0.0, recall = 0.0;
};
/// Improved precision and recall (Kynkäänniemi et al. 2019, eqs. 1-2): the share of generated
/// features [M, D] that lie in the balls around the real ones [N, D], each as wide as the distance
/// to its k-th neighbor; and the other way round. In float64, block by block.
PrecisionRecall precision_recall(const Tensor& real, const Tensor& generated, std::int64_t k = 3,
                                 Ball ball = Ball::kClosed);

struct DensityCoverage {
  double density = 0.0, coverage = 0.0;
};
/// Density and coverage (Naeem et al. 2020, eqs. 4-5): how many real balls a generated feature lies
/// in, over k, which may exceed 1; and the share of real features whose ball holds a generated one.
DensityCoverage density_coverage(const Tensor& real, const Tensor& generated, std::int64_t k = 5,
                                 Ball ball = Ball::kOpen);

/// For each generated feature [M, D] the nearest real one [N, D].
struct Nearest {
  Tensor index;     // int64 [M]
  Tensor distance;  // float64 [M], exact for copies
  /// bool [M]: nearer to that real feature than any other real one is. For images of the real
  /// distribution about every second is, for copies all:
  /// one less the "authenticity" of Alaa et al. 2022 (sec. 4).
  Tensor copied;
};
/// N ≥ 2.
Nearest nearest_real(const Tensor& real, const Tensor& generated);
/// The same for each real feature and the others: what `nearest_real` gives for images that were
/// held out. N ≥ 3.
Nearest nearest_other(const Tensor& real);

/// Root mean square difference of each pair of images uint8 [N, C, H, W], as values in [-1, 1]:
/// float64 [N]. Of images drawn from the same seeds by two samplers, it says how far apart their
/// trajectories end, with no need of a reference.
Tensor paired_distances(const Tensor& a, const Tensor& b);

}  // namespace edmund
