// Group normalization, SiLU and dropout of channels-last images: sums of each channel over parts of
// an image; statistics of each group; one pass for all that follows.
#include "norm_code.cuh"

namespace edmund::ops::cuda {
namespace {

// partial [B, parts, 2, C]: Σ (x - origin), Σ (x - origin)² of each channel, the origin being the
// image's first pixel.
template <typename T>
__global__ void moments_kernel(const T* x, ImageShape shape, std::int64_t part_pixels, float* partial) {
  __shared__ float2 memory[256];
  const std::int64_t C = shape.channels, first = blockIdx.x * part_pixels;
  const std::int64_t last = first + part_pixels < shape.pixels ? first + part_pixels : shape.pixels;
  for (std::int64_t image = blockIdx.y; image < shape.images; image += gridDim.y) {
    const T* from = x + image * shape.pixels * C;
    float* to = partial + (image * gridDim.x + blockIdx.x) * 2 * C;
    // the same for all threads: they meet inside
    for (std::int64_t begin = 0; begin < C; begin += blockDim.x) {
      const std::int64_t c = begin + threadIdx.x;
      float2 sum = make_float2(0.0F, 0.0F);
      if (c < C) {
        const float origin = widened(from[c]);
#pragma unroll 4
        for (std::int64_t p = first + threadIdx.y; p < last; p += blockDim.y) {
          const float d = widened(from[p * C + c]) - origin;
          sum.x += d;
          sum.y += d * d;
        }
      }
      sum = column_sum(sum, memory);
      if (threadIdx.y == 0 && c < C) {
        to[c] = sum.x;
        to[C + c] = sum.y;
      }
    }
  }
}

// One block for a group of an image: merges its channels' sums about their own origins (Chan et al.
// 1983), and these with the parameters.
template <typename T>
__global__ void rows_kernel(NormTask task, const T* x, const float* partial, std::int64_t parts, float* rows) {
  __shared__ double2 sums[kWidestGroup];
  __shared__ double statistics[2];
  const std::int64_t C = task.shape.channels, width = C / task.groups, first = blockIdx.x * width;
  const auto n = static_cast<double>(task.shape.pixels), w = static_cast<double>(width);
  const unsigned warp = threadIdx.x / 32, warps = blockDim.x / 32;
  for (std::int64_t image = blockIdx.y; image < task.shape.images; image += gridDim.y) {
    const T* origin = x + image * task.shape.pixels * C + first;
    for (std::int64_t i = warp; i < width; i += warps) {
      const double2 sum = sums_over_parts(partial + image * parts * 2 * C, parts, C, first + i);
      if (threadIdx.x % 32 == 0) sums[i] = sum;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      double mean = 0.0, variance = 0.0;
      for (std::int64_t i = 0; i < width; ++i) mean += (static_cast<double>(widened(origin[i])) + sums[i].x / n) / w;
      for (std::int64_t i = 0; i < width; ++i) {
        const double off = static_cast<double>(widened(origin[i])) + sums[i].x / n - mean;
        variance += sums[i].y - sums[i].x * sums[i].x / n + n * off * off;
      }
      statistics[0] = mean;
      statistics[1] = 1.0 / sqrt(fmax(variance, 0.0) / (n * w) + task.eps);
    }
    __syncthreads();
    const double mean = statistics[0], rstd = statistics[1];
    float* row = rows + image * kRows * C;
    for (std::int64_t c = first + threadIdx.x; c < first + width; c += blockDim.x) {
      const double adapt = task.scale != nullptr ? 1.0 + static_cast<double>(task.scale[image * C + c]) : 1.0;
      const double shift = task.shift != nullptr ? static_cast<double>(task.shift[image * C + c]) : 0.0;
      const double a = rstd * static_cast<double>(task.weight[c]) * adapt;
      row[kA * C + c] = static_cast<float>(a);
      row[kB * C + c] = static_cast<float>(static_cast<double>(task.bias[c]) * adapt + shift - mean * a);
      row[kMean * C + c] = static_cast<float>(mean);
      row[kRstd * C + c] = static_cast<float>(rstd);
    }
    __syncthreads();  // the next image writes what this one read
  }
}

template <typename T, bool kDropout>
__global__ void apply_kernel(NormTask task, const T* x, T* y, const float* rows) {
  const std::int64_t C = task.shape.channels, pixels = task.shape.pixels;
  const std::int64_t quad = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (quad * 4 >= pixels) return;
  for (std::int64_t image = blockIdx.y; image < task.shape.images; image += gridDim.y) {
    const float* row = rows + image * kRows * C;
    const std::int64_t sample = sample_of(task.dropout, image), at = (image * pixels + quad * 4) * C;
    for (std::int64_t c = threadIdx.x; c < C; c += blockDim.x) {
      const float a = row[kA * C + c], b = row[kB * C + c];
      const Factors factors = factors_of<kDropout>(task.dropout, sample, pixels, c, quad);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (quad * 4 + i >= pixels) break;
        float z = widened(x[at + i * C + c]) * a + b;
        if (task.silu) z = z / (1.0F + expf(-z));
        store(y + at + i * C + c, z * factors.f[i]);
      }
    }
  }
}

}  // namespace

std::int64_t parts_of(const ImageShape& shape) { return parts(shape).count; }

cudaError_t norm_forward(const NormTask& task, const void* x, void* y, float* rows, float* partial,
                         cudaStream_t stream) {
  const ImageShape& shape = task.shape;
  if (shape.images == 0 || shape.pixels == 0) return cudaSuccess;
  const Parts split = parts(shape);
  const dim3 sums(static_cast<unsigned>(split.count), image_blocks(shape.images)), threads = lanes(shape.channels);
  return with_type(shape.type, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const auto* in = static_cast<const T*>(x);
    auto* out = static_cast<T*>(y);
    launch(moments_kernel<T>, sums, threads, stream, in, shape, split.pixels, partial);
    launch(rows_kernel<T>, group_grid(task), kGroupThreads, stream, task, in, partial, split.count, rows);
    if (task.dropout.keys.samples != nullptr)
      launch(apply_kernel<T, true>, quad_grid(shape), threads, stream, task, in, out, rows);
    else
      launch(apply_kernel<T, false>, quad_grid(shape), threads, stream, task, in, out, rows);
  });
}

}  // namespace edmund::ops::cuda
