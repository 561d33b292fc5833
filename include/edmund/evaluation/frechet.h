#pragma once

#include "edmund/core/tensor.h"
#include "edmund/evaluation/estimate.h"

#include <cstdint>
#include <vector>

namespace edmund {

/// Running mean and covariance of features, in float64, by pairwise updates (Chan, Golub & LeVeque
/// 1979): no cancellation, however far the mean lies from zero.
class Moments {
 public:
  void add(const Tensor& features);  // [B, D], any real dtype
  std::int64_t count() const { return count_; }
  Tensor mean() const;  // [D]
  /// [D, D], divided by N - 1. Throws Error for fewer than two rows.
  Tensor covariance() const;

 private:
  std::int64_t count_ = 0;
  Tensor mean_, scatter_;  // scatter: Σ (f - mean)(f - mean)ᵀ
};

/// |μ₁-μ₂|² + tr(Σ₁ + Σ₂ - 2(Σ₁Σ₂)^½) in float64 (Dowson & Landau 1982; Heusel et al. 2017). tr
/// (Σ₁Σ₂)^½ is the sum of the singular values of A₁ᵀA₂, where Σ = A Aᵀ, by Cholesky or, for
/// singular covariances, from the symmetric eigen-decomposition without its null space.
/// Not a complex root that is cut to its real part. Throws Error for values that are not finite.
double frechet_distance(const Moments& a, const Moments& b);
double frechet_distance(const Tensor& mean_a, const Tensor& covariance_a, const Tensor& mean_b,
                        const Tensor& covariance_b);

/// Fréchet distance of two sets of features [N, D], [M, D] and its standard error from the choice
/// of both sets, by the delta method: the slope of the distance is 2(μ₁-μ₂) in μ₁ and I - T in Σ₁,
/// T the optimal map between the Gaussians. The value is that of the sets as they are: it
/// overestimates the distribution's by a bias of order 1/N. For N, M > D; the error is 0 otherwise.
Estimate frechet_estimate(const Tensor& a, const Tensor& b);
/// The same to statistics that are taken as they are: the error is that of the choice of `a` alone.
Estimate frechet_estimate(const Tensor& a, const Tensor& mean, const Tensor& covariance);

struct ExtrapolationSettings {
  std::int64_t points = 15;  // sizes, evenly spaced (Chong & Forsyth's number)
  std::int64_t smallest =
      // of them; 0: a tenth of the images, or twice the dimensions where that is more and allows it
      0;
  std::uint64_t seed = 0;
};
struct Extrapolation {
  // the error is the line's: how the points lie about it, not the choice of the images
  Estimate infinity;
  double slope = 0.0;
  std::vector<std::int64_t> sizes = {};
  std::vector<double> values = {};
};
/// Fréchet distance of infinitely many images: random subsets of N images give a line in 1/N,
/// continued to 0 (Chong & Forsyth 2020, sec. 4.1). Takes away the bias of `features` [N, D], not
/// that of the reference. The line holds for N above D.
Extrapolation frechet_infinity(const Tensor& features, const Tensor& mean, const Tensor& covariance,
                               const ExtrapolationSettings& settings = {});

}  // namespace edmund
