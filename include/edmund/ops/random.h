#pragma once

#include "edmund/core/philox.h"
#include "edmund/core/tensor.h"

#include <c10/core/ScalarType.h>
#include <c10/util/ArrayRef.h>
#include <cstdint>
#include <span>

namespace edmund::ops {

/// Standard normal draws [B, shape…]: row i is a function of (seed, stream, samples[i], draw) and
/// of nothing else: the same integers for every batch size, thread count and device. Word pairs
/// through Box-Muller in double precision, then cast to `dtype`.
Tensor normal(std::uint64_t seed, Stream stream, std::span<const std::int64_t> samples, std::uint32_t draw,
              at::IntArrayRef shape, at::ScalarType dtype, at::Device device);

/// A request for the same draws: samples int64 [B] on the device of the result. Recorded work
/// (graph.h) reads them again at each replay.
struct Draw {
  std::uint64_t seed = 0;
  Stream stream = Stream::kLatent;
  Tensor samples = {};
  std::uint32_t draw = 0;
  at::ScalarType dtype = at::kDouble;
};
Tensor normal(const Draw& draw, at::IntArrayRef shape);

/// Uniform draws in (0, 1), likewise.
Tensor uniform(std::uint64_t seed, Stream stream, std::span<const std::int64_t> samples, std::uint32_t draw,
               at::IntArrayRef shape, at::ScalarType dtype, at::Device device);

}  // namespace edmund::ops
