#pragma once

#include "edmund/diffusion/noise_source.h"

#include <cstdint>
#include <vector>

namespace edmund {

/// Draws between those of two images: the k-th call gives row i the spherical interpolation
/// (Shoemake 1985; Song et al. 2021, eq. 67)
///   sin((1 - τ_i)θ)/sin θ · a + sin(τ_i θ)/sin θ · b,   θ the angle between a and b,
/// of the k-th draws a and b that PhiloxNoise gives the images `from` and `to`. Norms stay those of
/// Gaussian draws; τ = 0 and τ = 1 are the two images bit for bit. All draws of a sampler are
/// interpolated, so that it need not be deterministic.
class InterpolatedNoise : public NoiseSource {
 public:
  InterpolatedNoise(std::uint64_t seed, std::int64_t from, std::int64_t to, std::vector<double> fractions,
                    at::ScalarType dtype, at::Device device);
  Tensor normal(at::IntArrayRef image_shape) override;

 private:
  PhiloxNoise ends_;
  std::vector<double> fractions_;
};

}  // namespace edmund
