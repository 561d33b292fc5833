#include "support/mixture.h"

#include <ATen/ops/full.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/softmax.h>
#include <cmath>
#include <numbers>

namespace edmund::testing {

Mixture Mixture::from(Golden& golden, const std::string& prefix) {
  return {golden.real(prefix + "means"), golden.real(prefix + "stds"), golden.real(prefix + "weights")};
}

Mixture Mixture::gaussian(double mean, double std, std::int64_t D) {
  return {at::full({1, D}, mean, at::kDouble), at::full({1}, std, at::kDouble), at::ones({1}, at::kDouble)};
}

Tensor Mixture::log_terms(const Tensor& flat, const Tensor& sigma) const {
  const Tensor variance = stds.square() + sigma.reshape({-1, 1}).square();           // [B or 1, K]
  const Tensor distance = (flat.unsqueeze(1) - means.unsqueeze(0)).square().sum(2);  // [B, K]
  const auto D = static_cast<double>(means.size(1));
  return weights.log() - distance / (2 * variance) - D / 2 * (2 * std::numbers::pi * variance).log();
}

Tensor Mixture::denoised(const Tensor& z, const Tensor& sigma) const {
  const Tensor flat = z.to(at::kDouble).flatten(1), level = sigma.to(at::kDouble);
  const Tensor share = at::softmax(log_terms(flat, level), 1).unsqueeze(2);  // [B, K, 1]
  const Tensor variance = stds.square();
  const Tensor shrink = (variance / (variance + level.reshape({-1, 1}).square())).unsqueeze(2);  // [B or 1, K, 1]
  const Tensor mu = means.unsqueeze(0);
  return (share * (mu + shrink * (flat.unsqueeze(1) - mu))).sum(1).reshape(z.sizes()).to(z.scalar_type());
}

Tensor Mixture::denoised(const Tensor& z, double sigma) const {
  return denoised(z, at::scalar_tensor(sigma, at::kDouble));
}

Tensor Mixture::score(const Tensor& z, double sigma) const {
  const Tensor wide = z.to(at::kDouble);
  return (denoised(wide, sigma) - wide) / (sigma * sigma);
}

Tensor Mixture::log_density(const Tensor& z, double sigma) const {
  return at::logsumexp(log_terms(z.to(at::kDouble).flatten(1), at::scalar_tensor(sigma, at::kDouble)), 1);
}

Denoiser Mixture::denoiser() const {
  return [mixture = *this](const Tensor& z, double sigma) { return mixture.denoised(z, sigma); };
}

}  // namespace edmund::testing
