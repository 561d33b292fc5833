#pragma once

#include "edmund/core/philox.h"
#include "edmund/core/tensor.h"
#include "edmund/ops/combine.h"
#include "edmund/ops/random.h"

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
  /// std · the next draw for ops::combine(), which need not hold it in memory.
  virtual ops::Term scaled(double std, at::IntArrayRef image_shape) { return {std, normal(image_shape)}; }
};

/// The k-th call gives image i the draw (seed, stream, i, k) of a counter-based generator: the same
/// numbers whatever the batch size, thread count or device.
class PhiloxNoise : public NoiseSource {
 public:
  PhiloxNoise(std::uint64_t seed, const std::vector<std::int64_t>& images, at::ScalarType dtype, at::Device device,
              Stream stream = Stream::kLatent);
  /// Of images whose numbers, int64 [B], lie on the device that the draws are wanted on; recorded
  /// work reads them anew.
  PhiloxNoise(std::uint64_t seed, Tensor images, at::ScalarType dtype, Stream stream = Stream::kLatent);
  Tensor normal(at::IntArrayRef image_shape) override;
  ops::Term scaled(double std, at::IntArrayRef image_shape) override;
  /// How many draws were asked for.
  std::uint32_t draws() const { return next_.draw; }

 private:
  ops::Draw next_;
};

}  // namespace edmund
