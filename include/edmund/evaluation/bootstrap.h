#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace edmund {

struct BootstrapSettings {
  std::int64_t resamples = 1000;
  double level = 0.95;  // of the interval
  // the real set is the truth itself: only generated images are drawn anew
  bool fixed_real = false;
  std::uint64_t seed = 0;  // resamples come from Philox
};

/// A number, and the interval which holds the true one in `level` of all repetitions of the
/// experiment.
struct BootstrapInterval {
  double value = 0.0;  // of the sets as they are
  // what finite sets add to it, as the bootstrap sees it; 0 for the kernel distance, which has none
  double bias = 0.0;
  double error = 0.0;  // standard error
  /// Quantiles of the resamples, which keep the skewness of squared distances, less twice the bias,
  /// which they have once more than the value (Efron & Tibshirani 1993, chs. 10 and 13).
  double low = 0.0, high = 0.0;
};

/// A distance of two sets as they are, and of their resamples.
struct Resampled {
  double value = 0.0;
  Tensor values;          // float64 [resamples]
  bool unbiased = false;  // finite sets add nothing to it

  BootstrapInterval interval(double level) const;
};
/// `a` less `b`, resample by resample: paired, if both took the same rows.
Resampled difference(const Resampled& a, const Resampled& b);

/// Distances of generated sets to one real set [M, D], whose resamples are prepared once for all of
/// them. Both sets are drawn anew, image by image with replacement; row i of every generated set of
/// one size is drawn as often, so that sets whose row i comes from the same seed are paired and
/// what they share cancels in their difference.
class RealResamples {
 public:
  /// Throws Error for features that are not finite, fewer than 2 resamples, or a level outside (0,
  /// 1).
  explicit RealResamples(const Tensor& real, const BootstrapSettings& settings = {});

  /// Fréchet distances of generated features [N, D]; the true value is that of the distributions.
  /// Each resample takes one eigen-decomposition [D, D], and one of the real set. Throws Error
  /// unless N and M are above 2D, where resamples would be singular.
  Resampled frechet(const Tensor& generated);
  /// Kernel distances likewise. An image drawn twice makes no pair with itself, so the resamples
  /// stay unbiased. Takes N² + NM kernels, and once M²: throws Error beyond 100,000 images in one
  /// set.
  Resampled kernel(const Tensor& generated);

 private:
  struct Moments;
  Moments moments(std::int64_t first, std::int64_t rows);
  std::int64_t rows_at_once() const;
  Tensor real_counts(std::int64_t first, std::int64_t rows) const;

  BootstrapSettings settings_;
  Tensor real_;  // float64 [M, D]
  // of the blocks of resamples, as far as they fit
  std::vector<std::shared_ptr<const Moments>> kept_;
  // [resamples + 1]; undefined until it is needed
  Tensor within_;
};

/// One distance to a real set that is used once, and the difference of two; generated, a, b [N, D],
/// real [M, D].
BootstrapInterval frechet_interval(const Tensor& generated, const Tensor& real, const BootstrapSettings& settings = {});
BootstrapInterval kernel_interval(const Tensor& generated, const Tensor& real, const BootstrapSettings& settings = {});
BootstrapInterval frechet_difference(const Tensor& a, const Tensor& b, const Tensor& real,
                                     const BootstrapSettings& settings = {});
BootstrapInterval kernel_difference(const Tensor& a, const Tensor& b, const Tensor& real,
                                    const BootstrapSettings& settings = {});

}  // namespace edmund
