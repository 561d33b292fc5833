#pragma once

#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_cholesky.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/matmul.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <numbers>

namespace edmund::testing {

/// Images N(mean, covariance), mean [n], covariance [n, n], double: pixels depend on each other,
/// and D's Jacobian has no special form.
struct Correlated {
  Tensor mean, covariance;

  /// n pixels of different means, spreads between 0.3 and 0.9, correlations that fall off with the
  /// distance.
  static Correlated made(std::int64_t n) {
    const Tensor i = at::arange(n, at::kDouble), spread = 0.6 + 0.3 * at::cos(2.1 * i);
    const Tensor correlation = ((i.unsqueeze(0) - i.unsqueeze(1)).abs() * -0.7).exp();
    return {0.4 * at::cos(i + 1), correlation * spread.unsqueeze(0) * spread.unsqueeze(1)};
  }

  Tensor wide(double sigma) const { return covariance + sigma * sigma * at::eye(mean.numel(), at::kDouble); }

  Denoiser denoiser() const {
    return [*this](const Tensor& z, double sigma) {
      const Tensor gain = covariance.matmul(at::linalg_inv(wide(sigma)));  // symmetric
      return (mean + (z.flatten(1) - mean).matmul(gain.t())).reshape(z.sizes());
    };
  }

  /// log p(z; σ), [B].
  Tensor log_density(const Tensor& z, double sigma) const {
    const Tensor root = at::linalg_cholesky(wide(sigma)), centred = z.flatten(1) - mean;
    const Tensor distance = (centred.matmul(at::linalg_inv(wide(sigma))) * centred).sum(1);
    return -0.5 * distance - root.diagonal().log().sum() -
           0.5 * static_cast<double>(mean.numel()) * std::log(2 * std::numbers::pi);
  }

  /// Images [B, 1, 1, n] from standard normal numbers of the same shape.
  Tensor images(const Tensor& normal) const { return mean + normal.matmul(at::linalg_cholesky(covariance).t()); }
};

}  // namespace edmund::testing
