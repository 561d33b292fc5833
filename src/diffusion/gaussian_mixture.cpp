#include "edmund/diffusion/gaussian_mixture.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/bucketize.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/softmax.h>
#include <cmath>
#include <numbers>

namespace edmund {

Tensor GaussianMixture::log_terms(const Tensor& flat, const Tensor& sigma) const {
  const Tensor variance = stds.square() + sigma.reshape({-1, 1}).square();           // [B or 1, K]
  const Tensor distance = (flat.unsqueeze(1) - means.unsqueeze(0)).square().sum(2);  // [B, K]
  const auto D = static_cast<double>(means.size(1));
  return weights.log() - distance / (2 * variance) - D / 2 * (2 * std::numbers::pi * variance).log();
}

Tensor GaussianMixture::denoised(const Tensor& z, const Tensor& sigma) const {
  const Tensor flat = z.to(at::kDouble).flatten(1), level = sigma.to(at::kDouble);
  const Tensor share = at::softmax(log_terms(flat, level), 1).unsqueeze(2);  // [B, K, 1]
  const Tensor variance = stds.square();
  // [B or 1, K, 1]
  const Tensor shrink = (variance / (variance + level.reshape({-1, 1}).square())).unsqueeze(2);
  const Tensor mu = means.unsqueeze(0);
  return (share * (mu + shrink * (flat.unsqueeze(1) - mu))).sum(1).reshape(z.sizes()).to(z.scalar_type());
}

Tensor GaussianMixture::denoised(const Tensor& z, double sigma) const {
  return denoised(z, at::scalar_tensor(sigma, z.options().dtype(at::kDouble)));
}

Tensor GaussianMixture::score(const Tensor& z, double sigma) const {
  const Tensor wide = z.to(at::kDouble);
  return (denoised(wide, sigma) - wide) / (sigma * sigma);
}

Tensor GaussianMixture::log_density(const Tensor& z, double sigma) const {
  return at::logsumexp(
      log_terms(z.to(at::kDouble).flatten(1), at::scalar_tensor(sigma, z.options().dtype(at::kDouble))), 1);
}

Tensor GaussianMixture::mean() const { return at::matmul(weights, means); }

Tensor GaussianMixture::covariance(double sigma) const {
  const Tensor centered = means - mean();
  const Tensor within = (weights * stds.square()).sum() + sigma * sigma;
  return at::matmul((weights.unsqueeze(1) * centered).t(), centered) + within * at::eye(means.size(1), means.options());
}

Tensor GaussianMixture::drawn(const Tensor& noise) const {
  // The golden ratio's multiples share out evenly however many are taken.
  const Tensor share = ((at::arange(noise.size(0), at::kDouble) + 0.5) * (std::numbers::phi - 1)).frac();
  const Tensor k = at::bucketize(share, weights.cumsum(0)).clamp_max(weights.size(0) - 1);  // [B]
  const Tensor x = means.index_select(0, k) + stds.index_select(0, k).unsqueeze(1) * noise.flatten(1);
  return x.view(noise.sizes());
}

GaussianMixture GaussianMixture::scaled(double c) const { return {c * means, c * stds, weights}; }

Denoiser GaussianMixture::denoiser() const {
  return [mixture = *this](const Tensor& z, double sigma) { return mixture.denoised(z, sigma); };
}

}  // namespace edmund
