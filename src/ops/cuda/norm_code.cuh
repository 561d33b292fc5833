#pragma once

#include "device_code.cuh"

/// What forward and backward of the normalization share.
namespace edmund::ops::cuda {

/// Rows of a [B, kRows, C] tensor: what normalization is for each channel of an image, z = x·a + b.
enum Row { kA, kB, kMean, kRstd, kRows };

/// Adds what the threads of one column found, in the order of their rows, and hands thread row 0
/// the sum of two values.
__device__ inline float2 column_sum(float2 own, float2* memory) {
  memory[threadIdx.y * blockDim.x + threadIdx.x] = own;
  __syncthreads();
  float2 sum = make_float2(0.0F, 0.0F);
  if (threadIdx.y == 0)
    for (unsigned row = 0; row < blockDim.y; ++row) {
      sum.x += memory[row * blockDim.x + threadIdx.x].x;
      sum.y += memory[row * blockDim.x + threadIdx.x].y;
    }
  __syncthreads();
  return sum;
}

/// Both sums of channel c over the parts, by the lanes of one warp; right in lane 0.
__device__ inline double2 sums_over_parts(const float* partial, std::int64_t parts, std::int64_t C, std::int64_t c) {
  double2 sum = make_double2(0.0, 0.0);
  for (std::int64_t part = threadIdx.x % 32; part < parts; part += 32) {
    sum.x += static_cast<double>(partial[part * 2 * C + c]);
    sum.y += static_cast<double>(partial[part * 2 * C + C + c]);
  }
  for (int step = 16; step > 0; step /= 2) {
    sum.x += __shfl_down_sync(0xFFFFFFFFU, sum.x, step);
    sum.y += __shfl_down_sync(0xFFFFFFFFU, sum.y, step);
  }
  return sum;
}

/// Dropout's factors of pixels 4·quad … 4·quad + 3 of one channel.
struct Factors {
  float f[4];
};
template <bool kDropout>
__device__ Factors factors_of(const DropoutBits& bits, std::int64_t sample, std::int64_t pixels, std::int64_t c,
                              std::int64_t quad) {
  Factors out = {{1.0F, 1.0F, 1.0F, 1.0F}};
  if (!kDropout) return out;
  const std::int64_t first = c * pixels + quad * 4;
  std::int64_t block = first / 4;
  uint4 words = words_of(bits.keys, sample, static_cast<std::uint32_t>(block));
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const std::int64_t n = first + i;
    if (n / 4 != block) {  // only where four does not divide an image's pixels
      block = n / 4;
      words = words_of(bits.keys, sample, static_cast<std::uint32_t>(block));
    }
    out.f[i] = lane_of(words, static_cast<unsigned>(n % 4)) >= bits.limit ? bits.kept : 0.0F;
  }
  return out;
}

__device__ inline std::int64_t sample_of(const DropoutBits& bits, std::int64_t image) {
  return bits.keys.samples == nullptr ? 0 : bits.keys.samples[image];
}

constexpr unsigned kGroupThreads = 128;

inline dim3 quad_grid(const ImageShape& shape) {
  const std::int64_t quads = (shape.pixels + 3) / 4, rows = lanes(shape.channels).y;
  return {static_cast<unsigned>((quads + rows - 1) / rows), image_blocks(shape.images), 1};
}

inline dim3 group_grid(const NormTask& task) {
  return {static_cast<unsigned>(task.groups), image_blocks(task.shape.images), 1};
}

}  // namespace edmund::ops::cuda
