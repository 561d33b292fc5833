#pragma once

#include "edmund/ops/tensor.h"

#include <cstdint>

namespace edmund {

struct BootstrapSettings {
  std::int64_t resamples = 1000;
  double level = 0.95;      // of the interval
  bool fixed_real = false;  // the real set is the truth itself: only generated images are drawn anew
  std::uint64_t seed = 0;   // resamples come from Philox
};

/// A number, and the interval which holds the true one in `level` of all repetitions of the experiment.
struct BootstrapInterval {
  double value = 0.0;  // of the sets as they are
  double bias = 0.0;  // what finite sets add to it, as the bootstrap sees it; 0 for the kernel distance, which has none
  double error = 0.0;  // standard error
  /// Quantiles of the resamples, which keep the skewness of squared distances, less twice the bias, which they have once more than the value
  /// (Efron & Tibshirani 1993, chs. 10 and 13).
  double low = 0.0, high = 0.0;
};

/// Fréchet distance of generated features [N, D] to real ones [M, D]: both sets are drawn anew, image by image with replacement, `resamples` times.
/// Its true value is that of the distributions. Each resample takes two eigen-decompositions [D, D]. Throws Error unless N and M are above 2D, where
/// resamples would be singular.
BootstrapInterval frechet_interval(const Tensor& generated, const Tensor& real, const BootstrapSettings& settings = {});
/// Kernel distance likewise. An image drawn twice makes no pair with itself, so the resamples stay unbiased. Takes (N + M)² memory: Throws Error beyond
/// 10,000 images in one set.
BootstrapInterval kernel_interval(const Tensor& generated, const Tensor& real, const BootstrapSettings& settings = {});

/// Distance of `a` less that of `b` to the same real set, where row i of both was drawn from the same seed: each resample takes the same rows of both,
/// so that what they share cancels. a, b [N, D].
BootstrapInterval frechet_difference(const Tensor& a, const Tensor& b, const Tensor& real,
                                     const BootstrapSettings& settings = {});
BootstrapInterval kernel_difference(const Tensor& a, const Tensor& b, const Tensor& real,
                                    const BootstrapSettings& settings = {});

}  // namespace edmund
