#include "edmund/diffusion/interpolated_noise.h"

#include <algorithm>
#include <ATen/ops/stack.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <utility>

namespace edmund {

InterpolatedNoise::InterpolatedNoise(std::uint64_t seed, std::int64_t from, std::int64_t to,
                                     std::vector<double> fractions, at::ScalarType dtype, at::Device device)
    : ends_(seed, {from, to}, dtype, device), fractions_(std::move(fractions)) {}

Tensor InterpolatedNoise::normal(at::IntArrayRef image_shape) {
  const Tensor ends = ends_.normal(image_shape);  // [2, image_shape…]
  const Tensor a = ends[0], b = ends[1];
  const auto dot = [](const Tensor& u, const Tensor& v) { return (u * v).to(at::kDouble).sum().item<double>(); };
  const double theta = std::acos(std::clamp(dot(a, b) / std::sqrt(dot(a, a) * dot(b, b)), -1.0, 1.0));
  std::vector<Tensor> rows;
  for (const double tau : fractions_)
    rows.push_back(std::sin(theta) < 1e-6 ? (1 - tau) * a + tau * b
                                          : std::sin((1 - tau) * theta) / std::sin(theta) * a +
                                                std::sin(tau * theta) / std::sin(theta) * b);
  return at::stack(rows);
}

}  // namespace edmund
