#pragma once

#include "kernels.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <type_traits>

/// What kernels share: element types, Philox, and how threads are laid over channels-last images.
namespace edmund::ops::cuda {

__device__ inline float widened(float x) { return x; }
__device__ inline float widened(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline float widened(__half x) { return __half2float(x); }

__device__ inline void store(float* to, float x) { *to = x; }
__device__ inline void store(__nv_bfloat16* to, float x) { *to = __float2bfloat16(x); }
__device__ inline void store(__half* to, float x) { *to = __float2half(x); }

/// Four words of one block (Salmon et al. 2011); philox() of core/philox.h.
__device__ inline uint4 philox(uint4 c, uint2 k) {
#pragma unroll
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const unsigned low0 = kPhiloxMultiplier0 * c.x, high0 = __umulhi(kPhiloxMultiplier0, c.x);
    const unsigned low1 = kPhiloxMultiplier1 * c.z, high1 = __umulhi(kPhiloxMultiplier1, c.z);
    c = make_uint4(high1 ^ c.y ^ k.x, low1, high0 ^ c.w ^ k.y, low0);
    k.x += kPhiloxWeyl0;
    k.y += kPhiloxWeyl1;
  }
  return c;
}

/// RandomKey::words(block) of a row.
__device__ inline uint4 words_of(const RowKeys& keys, std::int64_t sample, std::uint32_t block) {
  const PhiloxKey at = RandomKey{keys.seed, keys.stream, static_cast<std::uint64_t>(sample), keys.draw}.philox_key();
  return philox(make_uint4(block, at.counter[0], at.counter[1], at.counter[2]), make_uint2(at.key[0], at.key[1]));
}

__device__ inline std::uint32_t lane_of(const uint4& w, unsigned lane) {
  return lane == 0 ? w.x : lane == 1 ? w.y : lane == 2 ? w.z : w.w;
}

/// Two words → two normal numbers (Box & Muller 1958).
__device__ inline double2 normal_pair(std::uint32_t first, std::uint32_t second) {
  const double radius = sqrt(-2.0 * log(open_unit(first))), angle = 6.283185307179586476925287 * open_unit(second);
  double s, c;
  sincos(angle, &s, &c);
  return make_double2(radius * c, radius * s);
}

/// Threads of a block: x over channels, y over pixels; at most 256, at least 32.
inline dim3 lanes(std::int64_t channels) {
  const auto x = static_cast<unsigned>(channels >= 256 ? 256 : (channels + 31) / 32 * 32);
  return {x, 256 / x, 1};
}

/// Images lie along y of the grid, which is limited: kernels go on in steps of it.
inline unsigned image_blocks(std::int64_t images) { return static_cast<unsigned>(images < 32768 ? images : 32768); }

#ifdef __CUDACC__
/// Starts a kernel: the one place where that is written, so that tests can run kernels where there
/// is no GPU (tests/ops/emulated_cuda.h).
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 threads, cudaStream_t stream, Arguments... arguments) {
  kernel<<<grid, threads, 0, stream>>>(arguments...);
}
#endif

/// Runs body(T*) with the element's type.
template <typename Body>
cudaError_t with_type(Element type, const Body& body) {
  switch (type) {
    case Element::kFloat: body(static_cast<float*>(nullptr)); break;
    case Element::kBfloat16: body(static_cast<__nv_bfloat16*>(nullptr)); break;
    case Element::kHalf: body(static_cast<__half*>(nullptr)); break;
  }
  return cudaGetLastError();
}

/// Pixels that a block of parts_of() sums: parts are whole numbers of four pixels.
struct Parts {
  std::int64_t count, pixels;
};
inline Parts parts(const ImageShape& shape) {
  constexpr std::int64_t kMost = 256;  // parts of an image
  const std::int64_t rows = lanes(shape.channels).y, quads = (shape.pixels + 3) / 4;
  std::int64_t each = 4;  // quads of a thread
  if (quads > kMost * rows * each) each = (quads + kMost * rows - 1) / (kMost * rows);
  const std::int64_t step = rows * each;
  return {(quads + step - 1) / step, step * 4};
}

}  // namespace edmund::ops::cuda
