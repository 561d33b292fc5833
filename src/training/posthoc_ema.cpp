#include "edmund/training/posthoc_ema.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>

namespace edmund {
namespace {

// Below this share of the largest eigenvalue, a combination of profiles is rounding.
constexpr double kRounding = 1e-14;

Tensor products(std::span<const PowerProfile> a, std::span<const PowerProfile> b) {
  Tensor out = at::empty({std::ssize(a), std::ssize(b)}, at::kDouble);
  auto* at = out.data_ptr<double>();
  for (const PowerProfile& of_a : a)
    for (const PowerProfile& of_b : b) *at++ = inner_product(of_a, of_b);
  return out;
}

}  // namespace

double power_ema_width(double gamma) { return std::sqrt((gamma + 1.0) / (gamma + 3.0)) / (gamma + 2.0); }

double inner_product(const PowerProfile& a, const PowerProfile& b) {
  const PowerProfile &early = a.images < b.images ? a : b, &late = a.images < b.images ? b : a;
  return (a.gamma + 1) * (b.gamma + 1) * std::pow(early.images / late.images, late.gamma) /
         ((a.gamma + b.gamma + 1) * late.images);
}

Tensor sampled_profile(const PowerProfile& profile, std::int64_t count) {
  const Tensor t = at::arange(count, at::kDouble);
  const Tensor values = at::where(t <= profile.images, (t / profile.images).pow(profile.gamma), at::zeros_like(t));
  return values / values.sum();
}

Tensor posthoc_coefficients(std::span<const PowerProfile> kept, std::span<const PowerProfile> wanted) {
  // Profiles scaled to length 1 make the smallest eigenvalues as large as they can be.
  const Tensor A = products(kept, kept), length = A.diagonal().sqrt().unsqueeze(1);
  const auto [values, vectors] = at::linalg_eigh(A / (length * length.t()));
  const Tensor inverse = at::where(values > kRounding * values.max(), values.reciprocal(), at::zeros_like(values));
  const Tensor x = vectors.matmul(inverse.unsqueeze(1) * vectors.t().matmul(products(kept, wanted) / length)) / length;
  return x / x.sum(0, /*keepdim=*/true);
}

double posthoc_residual(std::span<const PowerProfile> kept, std::span<const double> coefficients,
                        const PowerProfile& wanted) {
  const Tensor c = at::empty({std::ssize(coefficients), 1}, at::kDouble);
  std::ranges::copy(coefficients, c.data_ptr<double>());
  const PowerProfile one[] = {wanted};
  const double squares = inner_product(wanted, wanted);
  const double rest = squares - 2 * c.t().matmul(products(kept, one)).item<double>() +
                      c.t().matmul(products(kept, kept)).matmul(c).item<double>();
  return std::sqrt(std::max(rest, 0.0) / squares);
}

}  // namespace edmund
