#pragma once

#include "edmund/core/tensor.h"
#include "edmund/evaluation/drawn_distance.h"
#include "edmund/evaluation/estimate.h"

#include <cstdint>
#include <vector>

namespace edmund {

/// Running mean and covariance of features, in float64, by pairwise updates (Chan, Golub & LeVeque
/// 1979): no cancellation, however far the mean lies from zero.
class Moments {
 public:
  Moments() = default;
  explicit Moments(const Tensor& features) { add(features); }
  void add(const Tensor& features);  // [B, D], any real dtype
  std::int64_t count() const { return count_; }
  Tensor mean() const;  // [D]
  /// [D, D], divided by N - 1. Throws Error for fewer than two rows.
  Tensor covariance() const;
  /// Those of the other rows, where the rows of `part` are among these and fewer.
  Moments without(const Moments& part) const;

  /// Everything that they are, to be kept and taken up again: mean [D] and scatter [D, D],
  /// undefined where nothing was added.
  Moments(std::int64_t count, Tensor mean, Tensor scatter);
  const Tensor& scatter() const { return scatter_; }

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

/// Fréchet distance of drawn features [N, D] to a real set: that of all N as they are (the plug-in
/// estimate, which literature prints), with what N images more or less add to it.
///
/// Error by the delta method: the slope of the distance is 2(μ₁-μ₂) in μ₁ and I - T in Σ₁, T the
/// optimal map between the Gaussians. Bias by its second order: tr Σ₁/N of the mean, and of the
/// covariance ½ Σᵢⱼ var(yᵢyⱼ) / (sᵢsⱼ(sᵢ+sⱼ)) / N with y = UᵀΣ₂^½(x-μ₁) and Σ₂^½Σ₁Σ₂^½ = U s² Uᵀ,
/// divided by 1 - 3D/8N: by so much Marchenko & Pastur's law has the rest of the series and what
/// the spread of the sample's own eigenvalues takes from it. Measured on Gaussians the bias is
/// right to 5 % from N = 2D on. Both are unset unless N > D. With `labels` int64 [N] fixed numbers
/// of each class were drawn: what lies between the classes then has no part in either.
DrawnDistance frechet_to(const Tensor& drawn, const Tensor& mean, const Tensor& covariance, const Tensor& labels = {});

/// Fewest images for which a Fréchet distance of `dims` features is taken without a warning: five
/// a dimension. Of fewer, the bias is more than about a twentieth of the features' variance.
std::int64_t enough_images(std::int64_t dims);

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
/// that of the reference. The line holds for N above D. With `labels`, as frechet_to's, the subsets
/// have the classes in proportion, too.
Extrapolation frechet_infinity(const Tensor& features, const Tensor& mean, const Tensor& covariance,
                               const ExtrapolationSettings& settings = {}, const Tensor& labels = {});

}  // namespace edmund
