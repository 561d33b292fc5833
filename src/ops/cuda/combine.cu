// Linear combinations of images of any float types in either memory order, with normal numbers that
// are drawn on the spot.
#include "device_code.cuh"

namespace edmund::ops::cuda {
namespace {

using Type = CombineTask::Type;

__device__ double element(const void* x, Type type, std::int64_t at) {
  switch (type) {
    case Type::kFloat: return static_cast<const float*>(x)[at];
    case Type::kDouble: return static_cast<const double*>(x)[at];
    case Type::kBfloat16: return widened(static_cast<const __nv_bfloat16*>(x)[at]);
    case Type::kHalf: break;
  }
  return widened(static_cast<const __half*>(x)[at]);
}

__device__ void set_element(void* x, Type type, std::int64_t at, double value) {
  switch (type) {
    case Type::kFloat: static_cast<float*>(x)[at] = static_cast<float>(value); return;
    case Type::kDouble: static_cast<double*>(x)[at] = value; return;
    case Type::kBfloat16: store(static_cast<__nv_bfloat16*>(x) + at, static_cast<float>(value)); return;
    case Type::kHalf: break;
  }
  store(static_cast<__half*>(x) + at, static_cast<float>(value));
}

__device__ double rounded(double value, Type type) {
  alignas(double) unsigned char memory[sizeof(double)];
  set_element(memory, type, 0, value);
  return element(memory, type, 0);
}

// A thread makes elements 4i … 4i + 3 of an image in the order [channels, pixels], for which one
// block of Philox draws.
__global__ void combine_kernel(CombineTask task) {
  const std::int64_t C = task.channels, P = task.pixels;
  const std::int64_t block = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x, first = block * 4;
  if (first >= C * P) return;
  for (std::int64_t image = blockIdx.y; image < task.images; image += gridDim.y) {
    double noise[4] = {};
    if (task.noise.samples != nullptr) {
      const uint4 words = words_of(task.noise, task.noise.samples[image], static_cast<std::uint32_t>(block));
      const double2 a = normal_pair(words.x, words.y), b = normal_pair(words.z, words.w);
      noise[0] = a.x, noise[1] = a.y, noise[2] = b.x, noise[3] = b.y;
    }
    std::int64_t c = first / P, p = first % P;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (c == C) break;
      const std::int64_t planar = (image * C + c) * P + p, last = (image * P + p) * C + c;
      double sum = 0.0;
      for (int k = 0; k < task.count; ++k) {
        const CombineTask::Image& term = task.terms[k];
        sum += term.factor * element(term.x, term.layout.type, term.layout.channels_last ? last : planar);
      }
      if (task.noise.samples != nullptr) sum += task.noise_factor * rounded(noise[i], task.noise_type);
      set_element(task.out, task.out_layout.type, task.out_layout.channels_last ? last : planar, sum);
      if (++p == P) p = 0, ++c;
    }
  }
}

}  // namespace

cudaError_t combine(const CombineTask& task, cudaStream_t stream) {
  constexpr std::int64_t kThreads = 128;
  const std::int64_t blocks = (task.channels * task.pixels + 4 * kThreads - 1) / (4 * kThreads);
  if (task.images == 0 || blocks == 0) return cudaSuccess;
  const dim3 grid(static_cast<unsigned>(blocks), image_blocks(task.images));
  launch(combine_kernel, grid, static_cast<unsigned>(kThreads), stream, task);
  return cudaGetLastError();
}

}  // namespace edmund::ops::cuda
