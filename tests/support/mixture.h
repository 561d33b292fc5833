#pragma once

#include "edmund/diffusion/denoiser.h"
#include "edmund/ops/tensor.h"
#include "support/golden.h"

#include <string>

namespace edmund::testing {

/// Data whose denoiser is known: p0 = Σ w_k N(μ_k, s_k² I) over the flattened image. All in double precision.
struct Mixture {
  Tensor means;    // [K, D]
  Tensor stds;     // [K]
  Tensor weights;  // [K], sum 1

  /// Reads PREFIXmeans, PREFIXstds and PREFIXweights of a golden file.
  static Mixture from(Golden& golden, const std::string& prefix = "mixture.");
  /// One Gaussian N(mean, std² I) of D dimensions.
  static Mixture gaussian(double mean, double std, std::int64_t D);

  /// E[x0 | x0 + σε = z], z [B, …] with D elements an image, σ one number or [B]. In z's dtype.
  Tensor denoised(const Tensor& z, const Tensor& sigma) const;
  Tensor denoised(const Tensor& z, double sigma) const;
  /// ∇ log p(z; σ).
  Tensor score(const Tensor& z, double sigma) const;
  /// log p(z; σ), [B].
  Tensor log_density(const Tensor& z, double sigma) const;

  Denoiser denoiser() const;

 private:
  Tensor log_terms(const Tensor& flat, const Tensor& sigma) const;  // log w_k N(z; μ_k, (s_k²+σ²) I), [B, K]
};

}  // namespace edmund::testing
