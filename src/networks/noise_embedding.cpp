#include "edmund/networks/layers.h"

#include <ATen/ATen.h>
#include <numbers>

namespace edmund {
namespace {

Tensor cos_sin(const Tensor& angles) { return at::cat({angles.cos(), angles.sin()}, 1); }

}  // namespace

PositionalEmbedding::PositionalEmbedding(std::int64_t channels, bool endpoint, double max_positions)
    : channels_(channels), endpoint_(endpoint), max_positions_(max_positions) {
  TORCH_CHECK(channels % 2 == 0 && channels / 2 > (endpoint ? 1 : 0), "PositionalEmbedding: ", channels, " channels");
}

Tensor PositionalEmbedding::forward(const Tensor& x) const {
  const std::int64_t half = channels_ / 2;
  const Tensor exponents = at::arange(half, x.options()) / (half - (endpoint_ ? 1 : 0));
  return cos_sin(at::outer(x, at::pow(1 / max_positions_, exponents)));  // [B, channels]
}

FourierEmbedding::FourierEmbedding(std::int64_t channels, double scale) : scale_(scale) {
  TORCH_CHECK(channels % 2 == 0 && channels > 0, "FourierEmbedding: ", channels, " channels");
  freqs_ = register_buffer("freqs", at::zeros({channels / 2}));
}

Tensor FourierEmbedding::forward(const Tensor& x) const {
  // [B, channels]
  return cos_sin(at::outer(x, (2 * std::numbers::pi * freqs_).to(x.scalar_type())));
}

void FourierEmbedding::initialize(WeightSource& source) { freqs_.copy_(source.normal(freqs_.sizes()) * scale_); }

}  // namespace edmund
