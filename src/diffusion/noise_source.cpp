#include "edmund/diffusion/noise_source.h"

#include <ATen/ops/tensor.h>
#include <utility>

namespace edmund {

PhiloxNoise::PhiloxNoise(std::uint64_t seed, const std::vector<std::int64_t>& images, at::ScalarType dtype,
                         at::Device device, Stream stream)
    : PhiloxNoise(seed, at::tensor(at::ArrayRef<std::int64_t>(images)).to(device), dtype, stream) {}

PhiloxNoise::PhiloxNoise(std::uint64_t seed, Tensor images, at::ScalarType dtype, Stream stream)
    : next_{.seed = seed, .stream = stream, .samples = std::move(images), .dtype = dtype} {}

Tensor PhiloxNoise::normal(at::IntArrayRef image_shape) {
  Tensor n = ops::normal(next_, image_shape);
  ++next_.draw;
  return n;
}

ops::Sum PhiloxNoise::draw(const Tensor&) {
  const ops::Draw draw = next_;
  ++next_.draw;
  return ops::Sum(draw);
}

}  // namespace edmund
