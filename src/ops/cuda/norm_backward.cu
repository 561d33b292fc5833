// Gradients of the normalization: sums of each channel over parts of an image; means of each group;
// one pass that adds them up. Dropout's factors and the gradient of z are computed again rather
// than stored.
#include "norm_code.cuh"

namespace edmund::ops::cuda {
namespace {

// Gradient of z = x·a + b, where y = silu(z)·factor.
__device__ float gradient_of_z(float x, float dy, float a, float b, float factor, bool silu) {
  float d = dy * factor;
  if (silu) {
    const float z = x * a + b, g = 1.0F / (1.0F + expf(-z));
    d *= g + g * (z - z * g);
  }
  return d;
}

// partial [B, parts, 2, C]: Σ dz and Σ dz·(x - mean)/deviation.
template <typename T, bool kDropout>
__global__ void gradient_sums_kernel(NormTask task, const T* x, const T* dy, const float* rows,
                                     std::int64_t part_pixels, float* partial) {
  __shared__ float2 memory[256];
  const std::int64_t C = task.shape.channels, pixels = task.shape.pixels;
  const std::int64_t first = blockIdx.x * part_pixels / 4, end = first + part_pixels / 4, quads = (pixels + 3) / 4;
  const std::int64_t last = end < quads ? end : quads;
  for (std::int64_t image = blockIdx.y; image < task.shape.images; image += gridDim.y) {
    const float* row = rows + image * kRows * C;
    float* to = partial + (image * gridDim.x + blockIdx.x) * 2 * C;
    const std::int64_t sample = sample_of(task.dropout, image), at = image * pixels * C;
    for (std::int64_t begin = 0; begin < C; begin += blockDim.x) {
      const std::int64_t c = begin + threadIdx.x;
      float2 sum = make_float2(0.0F, 0.0F);
      if (c < C) {
        const float a = row[kA * C + c], b = row[kB * C + c], mean = row[kMean * C + c];
        for (std::int64_t quad = first + threadIdx.y; quad < last; quad += blockDim.y) {
          const Factors factors = factors_of<kDropout>(task.dropout, sample, pixels, c, quad);
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            if (quad * 4 + i >= pixels) break;
            const std::int64_t n = at + (quad * 4 + i) * C + c;
            const float in = widened(x[n]), d = gradient_of_z(in, widened(dy[n]), a, b, factors.f[i], task.silu);
            sum.x += d;
            sum.y += d * (in - mean);
          }
        }
        sum.y *= row[kRstd * C + c];
      }
      sum = column_sum(sum, memory);
      if (threadIdx.y == 0 && c < C) {
        to[c] = sum.x;
        to[C + c] = sum.y;
      }
    }
  }
}

// dx = a·dz - rstd·(m1 + (x - mean)·rstd·m2), m1 and m2 the group's means of u·dz and u·dz·(x -
// mean)·rstd, u = a/rstd: dx = a·dz + p·x + q. One block for a group of an image.
__global__ void terms_kernel(NormTask task, const float* rows, const float* partial, std::int64_t parts, float* totals,
                             float* terms) {
  __shared__ double2 means[32];  // of each warp
  const std::int64_t C = task.shape.channels, width = C / task.groups, first = blockIdx.x * width;
  const double count = static_cast<double>(task.shape.pixels) * static_cast<double>(width);
  const unsigned warp = threadIdx.x / 32, warps = blockDim.x / 32;
  for (std::int64_t image = blockIdx.y; image < task.shape.images; image += gridDim.y) {
    const float* row = rows + image * kRows * C;
    const double mean = row[kMean * C + first], rstd = row[kRstd * C + first];
    double2 own = make_double2(0.0, 0.0);
    for (std::int64_t c = first + warp; c < first + width; c += warps) {
      const double2 sum = sums_over_parts(partial + image * parts * 2 * C, parts, C, c);
      if (threadIdx.x % 32 != 0) continue;
      totals[image * 2 * C + c] = static_cast<float>(sum.x);
      totals[image * 2 * C + C + c] = static_cast<float>(sum.y);
      const double u = static_cast<double>(row[kA * C + c]) / rstd;
      own.x += u * sum.x;
      own.y += u * sum.y;
    }
    if (threadIdx.x % 32 == 0) means[warp] = own;
    __syncthreads();
    double m1 = 0.0, m2 = 0.0;
    for (unsigned i = 0; i < warps; ++i) {
      m1 += means[i].x / count;
      m2 += means[i].y / count;
    }
    for (std::int64_t c = first + threadIdx.x; c < first + width; c += blockDim.x) {
      terms[image * 2 * C + c] = static_cast<float>(-rstd * rstd * m2);
      terms[image * 2 * C + C + c] = static_cast<float>(-rstd * m1 + rstd * rstd * mean * m2);
    }
    __syncthreads();  // the next image writes what this one read
  }
}

template <typename T, bool kDropout>
__global__ void gradient_kernel(NormTask task, const T* x, const T* dy, const float* rows, const float* terms, T* dx) {
  const std::int64_t C = task.shape.channels, pixels = task.shape.pixels;
  const std::int64_t quad = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (quad * 4 >= pixels) return;
  for (std::int64_t image = blockIdx.y; image < task.shape.images; image += gridDim.y) {
    const float *row = rows + image * kRows * C, *term = terms + image * 2 * C;
    const std::int64_t sample = sample_of(task.dropout, image), at = (image * pixels + quad * 4) * C;
    for (std::int64_t c = threadIdx.x; c < C; c += blockDim.x) {
      const float a = row[kA * C + c], b = row[kB * C + c], p = term[c], q = term[C + c];
      const Factors factors = factors_of<kDropout>(task.dropout, sample, pixels, c, quad);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (quad * 4 + i >= pixels) break;
        const std::int64_t n = at + i * C + c;
        const float in = widened(x[n]), d = gradient_of_z(in, widened(dy[n]), a, b, factors.f[i], task.silu);
        store(dx + n, d * a + (in * p + q));
      }
    }
  }
}

}  // namespace

cudaError_t norm_backward(const NormTask& task, const void* x, const void* dy, const float* rows, void* dx,
                          float* totals, float* terms, float* partial, cudaStream_t stream) {
  const ImageShape& shape = task.shape;
  if (shape.images == 0 || shape.pixels == 0) return cudaSuccess;
  const Parts split = parts(shape);
  const dim3 sums(static_cast<unsigned>(split.count), image_blocks(shape.images)), threads = lanes(shape.channels);
  const bool dropout = task.dropout.keys.samples != nullptr;
  return with_type(shape.type, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const auto *in = static_cast<const T*>(x), *gradient = static_cast<const T*>(dy);
    auto* out = static_cast<T*>(dx);
    if (dropout)
      launch(gradient_sums_kernel<T, true>, sums, threads, stream, task, in, gradient, rows, split.pixels, partial);
    else
      launch(gradient_sums_kernel<T, false>, sums, threads, stream, task, in, gradient, rows, split.pixels, partial);
    launch(terms_kernel, group_grid(task), kGroupThreads, stream, task, rows, partial, split.count, totals, terms);
    if (dropout)
      launch(gradient_kernel<T, true>, quad_grid(shape), threads, stream, task, in, gradient, rows, terms, out);
    else
      launch(gradient_kernel<T, false>, quad_grid(shape), threads, stream, task, in, gradient, rows, terms, out);
  });
}

}  // namespace edmund::ops::cuda
