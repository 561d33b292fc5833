// Random numbers of many samples at once: the integers of core/philox.h, and the normal and uniform
// numbers that ops/random.cpp makes of them.
#include "device_code.cuh"

namespace edmund::ops::cuda {
namespace {

struct Words {
  using Out = std::uint32_t;
  static __device__ void make(const uint4& w, std::uint32_t* out) {
    out[0] = w.x, out[1] = w.y, out[2] = w.z, out[3] = w.w;
  }
};

template <typename T>
struct Normal {
  using Out = T;
  static __device__ void make(const uint4& w, T* out) {
    const double2 a = normal_pair(w.x, w.y), b = normal_pair(w.z, w.w);
    out[0] = static_cast<T>(a.x), out[1] = static_cast<T>(a.y), out[2] = static_cast<T>(b.x);
    out[3] = static_cast<T>(b.y);
  }
};

template <typename T>
struct Uniform {
  using Out = T;
  static __device__ T one(std::uint32_t word) {
    const double u = open_unit(word);
    // Rounding to float32 may reach 1.
    return sizeof(T) == sizeof(double) ? static_cast<T>(u) : static_cast<T>(fmin(u, 1.0 - 0x1p-24));
  }
  static __device__ void make(const uint4& w, T* out) {
    out[0] = one(w.x), out[1] = one(w.y), out[2] = one(w.z), out[3] = one(w.w);
  }
};

template <typename Kind>
__global__ void draw_kernel(RowKeys keys, std::int64_t rows, std::int64_t count, typename Kind::Out* out) {
  const std::int64_t block = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x, first = block * 4;
  if (first >= count) return;
  for (std::int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    typename Kind::Out four[4];
    Kind::make(words_of(keys, keys.samples[row], static_cast<std::uint32_t>(block)), four);
    for (int i = 0; i < 4 && first + i < count; ++i) out[row * count + first + i] = four[i];
  }
}

template <typename Kind>
cudaError_t draw(const RowKeys& keys, std::int64_t rows, std::int64_t count, typename Kind::Out* out,
                 cudaStream_t stream) {
  if (rows == 0 || count == 0) return cudaSuccess;
  constexpr int kThreads = 128;
  const dim3 grid(static_cast<unsigned>(((count + 3) / 4 + kThreads - 1) / kThreads), image_blocks(rows));
  launch(draw_kernel<Kind>, grid, kThreads, stream, keys, rows, count, out);
  return cudaGetLastError();
}

}  // namespace

cudaError_t draw_words(const RowKeys& keys, std::int64_t rows, std::int64_t count, std::uint32_t* out,
                       cudaStream_t stream) {
  return draw<Words>(keys, rows, count, out, stream);
}
cudaError_t draw_normal(const RowKeys& keys, std::int64_t rows, std::int64_t count, float* out, cudaStream_t stream) {
  return draw<Normal<float>>(keys, rows, count, out, stream);
}
cudaError_t draw_normal(const RowKeys& keys, std::int64_t rows, std::int64_t count, double* out, cudaStream_t stream) {
  return draw<Normal<double>>(keys, rows, count, out, stream);
}
cudaError_t draw_uniform(const RowKeys& keys, std::int64_t rows, std::int64_t count, float* out, cudaStream_t stream) {
  return draw<Uniform<float>>(keys, rows, count, out, stream);
}
cudaError_t draw_uniform(const RowKeys& keys, std::int64_t rows, std::int64_t count, double* out, cudaStream_t stream) {
  return draw<Uniform<double>>(keys, rows, count, out, stream);
}

}  // namespace edmund::ops::cuda
