#pragma once

#include "edmund/diffusion/gaussian_mixture.h"
#include "support/golden.h"

#include <string>

namespace edmund::testing {

/// Mixtures as golden files store them.
struct Mixture : GaussianMixture {
  /// Reads PREFIXmeans, PREFIXstds and PREFIXweights of a golden file.
  static Mixture from(Golden& golden, const std::string& prefix = "mixture.");
  /// One Gaussian N(mean, std² I) of D dimensions.
  static Mixture gaussian(double mean, double std, std::int64_t D);
};

}  // namespace edmund::testing
