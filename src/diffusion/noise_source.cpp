#include "edmund/diffusion/noise_source.h"

#include "edmund/ops/random.h"

#include <utility>

namespace edmund {

PhiloxNoise::PhiloxNoise(std::uint64_t seed, std::vector<std::int64_t> images, at::ScalarType dtype, at::Device device,
                         Stream stream)
    : seed_(seed), images_(std::move(images)), dtype_(dtype), device_(device), stream_(stream) {}

Tensor PhiloxNoise::normal(at::IntArrayRef image_shape) {
  return ops::normal(seed_, stream_, images_, draw_++, image_shape, dtype_, device_);
}

}  // namespace edmund
