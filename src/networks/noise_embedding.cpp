#include "edmund/networks/layers.h"

#include <numbers>
#include <torch/torch.h>

namespace edmund {
namespace {

Tensor cos_sin(const Tensor& angles) { return torch::cat({angles.cos(), angles.sin()}, 1); }

}  // namespace

PositionalEmbedding::PositionalEmbedding(std::int64_t channels, bool endpoint, double max_positions)
    : channels_(channels), endpoint_(endpoint), max_positions_(max_positions) {
  TORCH_CHECK(channels % 2 == 0 && channels / 2 > (endpoint ? 1 : 0), "PositionalEmbedding: ", channels, " channels");
}

Tensor PositionalEmbedding::forward(const Tensor& x) const {
  const std::int64_t half = channels_ / 2;
  const Tensor exponents = torch::arange(half, x.options()) / (half - (endpoint_ ? 1 : 0));
  return cos_sin(torch::outer(x, torch::pow(1 / max_positions_, exponents)));  // [B, channels]
}

FourierEmbedding::FourierEmbedding(std::int64_t channels, double scale) : scale_(scale) {
  TORCH_CHECK(channels % 2 == 0 && channels > 0, "FourierEmbedding: ", channels, " channels");
  freqs_ = register_buffer("freqs", torch::zeros({channels / 2}));
}

Tensor FourierEmbedding::forward(const Tensor& x) const {
  return cos_sin(torch::outer(x, (2 * std::numbers::pi * freqs_).to(x.scalar_type())));  // [B, channels]
}

void FourierEmbedding::initialize(WeightSource& source) { freqs_.copy_(source.normal(freqs_.sizes()) * scale_); }

}  // namespace edmund
