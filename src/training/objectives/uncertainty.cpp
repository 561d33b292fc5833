#include "uncertainty.h"

#include "edmund/core/philox.h"
#include "edmund/ops/magnitude.h"
#include "edmund/ops/random.h"

#include <array>
#include <ATen/core/grad_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <cmath>
#include <numbers>

namespace edmund {
namespace {

// beyond the indices of a network's parameters
constexpr std::int64_t kSample = std::int64_t{1} << 40;

}  // namespace

Uncertainty::Uncertainty(std::uint64_t seed, const at::TensorOptions& options, std::int64_t channels, Weight kind)
    : kind_(kind) {
  const std::array sample = {kSample};
  const auto dtype = at::typeMetaToScalarType(options.dtype());
  const auto normal = [&](std::uint32_t draw) {
    return ops::normal(seed, Stream::kWeights, sample, draw, {channels}, dtype, options.device()).view({channels});
  };
  const double turn = 2.0 * std::numbers::pi;
  frequency_ = turn * normal(0);
  phase_ = turn * ops::uniform(seed, Stream::kWeights, sample, 1, {channels}, dtype, options.device()).view({channels});
  weight_ = kind == Weight::kFree ? at::zeros({channels}, options) : normal(2);
  normalize();
  weight_.requires_grad_();
}

Tensor Uncertainty::direction() const {
  return kind_ == Weight::kFree ? weight_ : ops::normalized_filters(weight_.unsqueeze(0)).squeeze(0);
}

void Uncertainty::normalize() {
  if (kind_ == Weight::kFree) return;
  const at::NoGradGuard no_grad;
  weight_.copy_(direction());
}

Tensor Uncertainty::log_variance(const Tensor& sigma) const {
  const Tensor c = 0.25 * sigma.to(weight_.dtype()).log();  // [B]
  // [B, channels]
  const Tensor features = std::sqrt(2.0) * (c.unsqueeze(1) * frequency_ + phase_).cos();
  return features.matmul(direction()).div(std::sqrt(static_cast<double>(weight_.numel()))).view({-1, 1, 1, 1});
}

Tensor Uncertainty::weighted(const Tensor& loss, const Tensor& sigma) const {
  const Tensor u = log_variance(sigma);
  return loss / u.exp() + u;
}

}  // namespace edmund
