// Passes over channels-last images that do no more than a few operations for each number.
#include "device_code.cuh"

namespace edmund::ops::cuda {
namespace {

template <typename T>
__global__ void epilogue_kernel(ImageShape shape, T* y, const float* bias, const float* per_sample, const T* residual,
                                float scale) {
  const std::int64_t C = shape.channels, quad = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (quad * 4 >= shape.pixels) return;
  for (std::int64_t image = blockIdx.y; image < shape.images; image += gridDim.y) {
    const std::int64_t at = (image * shape.pixels + quad * 4) * C;
    for (std::int64_t c = threadIdx.x; c < C; c += blockDim.x) {
      float add = bias != nullptr ? bias[c] : 0.0F;
      if (per_sample != nullptr) add += per_sample[image * C + c];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (quad * 4 + i >= shape.pixels) break;
        const std::int64_t n = at + i * C + c;
        float out = widened(y[n]) + add;
        if (residual != nullptr) out += widened(residual[n]);
        store(y + n, out * scale);
      }
    }
  }
}

template <typename T>
__global__ void scaled_sums_kernel(ImageShape shape, const T* dy, float scale, T* scaled, std::int64_t part_pixels,
                                   float* partial) {
  __shared__ float memory[256];
  const std::int64_t C = shape.channels, first = blockIdx.x * part_pixels;
  const std::int64_t last = first + part_pixels < shape.pixels ? first + part_pixels : shape.pixels;
  for (std::int64_t image = blockIdx.y; image < shape.images; image += gridDim.y) {
    const std::int64_t at = image * shape.pixels * C;
    // the same for all threads: they meet inside
    for (std::int64_t begin = 0; begin < C; begin += blockDim.x) {
      const std::int64_t c = begin + threadIdx.x;
      float sum = 0.0F;
      if (c < C)
        for (std::int64_t p = first + threadIdx.y; p < last; p += blockDim.y) {
          const float d = widened(dy[at + p * C + c]) * scale;
          sum += d;
          if (scaled != nullptr) store(scaled + at + p * C + c, d);
        }
      memory[threadIdx.y * blockDim.x + threadIdx.x] = sum;
      __syncthreads();
      if (threadIdx.y == 0 && c < C) {
        for (unsigned row = 1; row < blockDim.y; ++row) sum += memory[row * blockDim.x + threadIdx.x];
        partial[(image * gridDim.x + blockIdx.x) * C + c] = sum;
      }
      __syncthreads();
    }
  }
}

// Pixel i of the smaller image [rows, width] and its 2×2 pixels of the larger one [2·rows,
// 2·width]: y = factor · their sum, or each of them = factor · x.
template <typename T, bool kDown>
__global__ void box_kernel(std::int64_t pixels, std::int64_t width, std::int64_t C, const T* x, float factor, T* y) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (i >= pixels) return;
  const std::int64_t top = (2 * (i / width) * 2 * width + 2 * (i % width)) * C, bottom = top + 2 * width * C;
  for (std::int64_t c = threadIdx.x; c < C; c += blockDim.x) {
    const std::int64_t places[4] = {top + c, top + C + c, bottom + c, bottom + C + c};
    if (kDown) {
      const float upper = widened(x[places[0]]) + widened(x[places[1]]),
                  lower = widened(x[places[2]]) + widened(x[places[3]]);
      store(y + i * C + c, (upper + lower) * factor);
    } else {
      const float value = widened(x[i * C + c]) * factor;
#pragma unroll
      for (int k = 0; k < 4; ++k) store(y + places[k], value);
    }
  }
}

unsigned blocks_of(std::int64_t pixels, const dim3& threads) {
  return static_cast<unsigned>((pixels + threads.y - 1) / threads.y);
}

template <bool kDown>
cudaError_t box(Element type, std::int64_t rows, std::int64_t width, std::int64_t channels, const void* x, float factor,
                void* y, cudaStream_t stream) {
  if (rows * width == 0) return cudaSuccess;
  const dim3 threads = lanes(channels);
  return with_type(type, [&](auto* kind) {
    using T = std::remove_pointer_t<decltype(kind)>;
    launch(box_kernel<T, kDown>, blocks_of(rows * width, threads), threads, stream, rows * width, width, channels,
           static_cast<const T*>(x), factor, static_cast<T*>(y));
  });
}

}  // namespace

cudaError_t epilogue(const ImageShape& shape, void* y, const float* bias, const float* per_sample, const void* residual,
                     float scale, cudaStream_t stream) {
  if (shape.images == 0 || shape.pixels == 0) return cudaSuccess;
  const dim3 threads = lanes(shape.channels);
  const dim3 grid(blocks_of((shape.pixels + 3) / 4, threads), image_blocks(shape.images));
  return with_type(shape.type, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    launch(epilogue_kernel<T>, grid, threads, stream, shape, static_cast<T*>(y), bias, per_sample,
           static_cast<const T*>(residual), scale);
  });
}

cudaError_t scaled_sums(const ImageShape& shape, const void* dy, float scale, void* scaled, float* partial,
                        cudaStream_t stream) {
  if (shape.images == 0 || shape.pixels == 0) return cudaSuccess;
  const Parts split = parts(shape);
  const dim3 grid(static_cast<unsigned>(split.count), image_blocks(shape.images));
  return with_type(shape.type, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    launch(scaled_sums_kernel<T>, grid, lanes(shape.channels), stream, shape, static_cast<const T*>(dy), scale,
           static_cast<T*>(scaled), split.pixels, partial);
  });
}

cudaError_t shrink(Element type, std::int64_t rows, std::int64_t width, std::int64_t channels, const void* x,
                   float factor, void* y, cudaStream_t stream) {
  return box<true>(type, rows, width, channels, x, factor, y, stream);
}

cudaError_t grow(Element type, std::int64_t rows, std::int64_t width, std::int64_t channels, const void* x,
                 float factor, void* y, cudaStream_t stream) {
  return box<false>(type, rows, width, channels, x, factor, y, stream);
}

}  // namespace edmund::ops::cuda
