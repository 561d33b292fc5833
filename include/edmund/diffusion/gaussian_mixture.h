#pragma once

#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"

namespace edmund {

/// Data whose denoiser is known: p0 = Σ w_k N(μ_k, s_k² I) over the flattened image. All in double
/// precision.
struct GaussianMixture {
  Tensor means;    // [K, D]
  Tensor stds;     // [K]
  Tensor weights;  // [K], sum 1

  /// E[x0 | x0 + σε = z], z [B, …] with D elements an image, σ one number or [B]. In z's dtype.
  Tensor denoised(const Tensor& z, const Tensor& sigma) const;
  Tensor denoised(const Tensor& z, double sigma) const;
  /// ∇ log p(z; σ).
  Tensor score(const Tensor& z, double sigma) const;
  /// log p(z; σ), [B].
  Tensor log_density(const Tensor& z, double sigma) const;

  /// Mean [D] and covariance [D, D] of z at σ.
  Tensor mean() const;
  Tensor covariance(double sigma) const;
  /// Data at the points ε [B, …]: image i is μ_k + s_k ε, its k such that the first images share
  /// out as the weights say.
  Tensor drawn(const Tensor& noise) const;
  /// The same data in other units: c·x0, whose D(z; σ) is c·D(z/c; σ/c).
  GaussianMixture scaled(double c) const;

  Denoiser denoiser() const;

 private:
  // log w_k N(z; μ_k, (s_k²+σ²) I), [B, K]
  Tensor log_terms(const Tensor& flat, const Tensor& sigma) const;
};

}  // namespace edmund
