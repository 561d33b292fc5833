#pragma once

#include "edmund/core/philox.h"
#include "edmund/ops/tensor.h"

#include <c10/core/ScalarType.h>
#include <c10/util/ArrayRef.h>
#include <cstdint>
#include <vector>

namespace edmund {

/// One random stream per image.
class NoiseSource {
 public:
  virtual ~NoiseSource() = default;
  /// Next standard normal draw, [B, image_shape…].
  virtual Tensor normal(at::IntArrayRef image_shape) = 0;
};

/// The k-th call gives image i the draw (seed, stream, i, k) of a counter-based generator: the same numbers whatever the batch size, thread
/// count or device.
class PhiloxNoise : public NoiseSource {
 public:
  PhiloxNoise(std::uint64_t seed, std::vector<std::int64_t> images, at::ScalarType dtype, at::Device device,
              Stream stream = Stream::kLatent);
  Tensor normal(at::IntArrayRef image_shape) override;

 private:
  std::uint64_t seed_;
  std::vector<std::int64_t> images_;
  at::ScalarType dtype_;
  at::Device device_;
  Stream stream_;
  std::uint32_t draw_ = 0;
};

}  // namespace edmund
