#include "uncertainty.h"

#include "edmund/core/philox.h"
#include "edmund/ops/random.h"

#include <array>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <cmath>
#include <numbers>

namespace edmund {
namespace {

constexpr std::int64_t kFeatures = 128;
// beyond the indices of a network's parameters
constexpr std::int64_t kSample = std::int64_t{1} << 40;

}  // namespace

Uncertainty::Uncertainty(std::uint64_t seed, const at::TensorOptions& options) {
  const std::array sample = {kSample};
  const auto dtype = at::typeMetaToScalarType(options.dtype());
  const double turn = 2.0 * std::numbers::pi;
  frequency_ = turn * ops::normal(seed, Stream::kWeights, sample, 0, {kFeatures}, dtype, options.device());
  phase_ = turn * ops::uniform(seed, Stream::kWeights, sample, 1, {kFeatures}, dtype, options.device());
  weight_ = at::zeros({kFeatures}, options).requires_grad_();
}

Tensor Uncertainty::log_variance(const Tensor& sigma) const {
  const Tensor c = 0.25 * sigma.to(weight_.dtype()).log();  // [B]
  // [B, 128]
  const Tensor features = std::sqrt(2.0) * (c.unsqueeze(1) * frequency_ + phase_).cos();
  return features.matmul(weight_).div(std::sqrt(static_cast<double>(kFeatures))).view({-1, 1, 1, 1});
}

}  // namespace edmund
