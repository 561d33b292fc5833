// a·x + b·y of images: x and the result float32 or float64 in the order [images, channels, pixels], y of any type in that order or channels-last.
#include "device_code.cuh"

namespace edmund::ops::cuda {
namespace {

__device__ inline double widened(double x) { return x; }

template <typename T, typename Y>
__global__ void combine_kernel(CombineTask task, const T* x, const Y* y, T* out) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x, C = task.channels, P = task.pixels;
  const T a = static_cast<T>(task.a), b = static_cast<T>(task.b);
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < task.images * C * P;
       i += step) {
    std::int64_t j = i;
    if (task.channels_last) {
      const std::int64_t row = i / P, pixel = i % P;  // row = image·C + channel
      j = (row / C * P + pixel) * C + row % C;
    }
    out[i] = a * x[i] + b * static_cast<T>(widened(y[j]));
  }
}

template <typename T, typename Y>
cudaError_t combine_as(const CombineTask& task, const void* x, const void* y, void* out, cudaStream_t stream) {
  constexpr std::int64_t kThreads = 256, kMostBlocks = 4096;
  const std::int64_t blocks = (task.images * task.channels * task.pixels + kThreads - 1) / kThreads;
  if (blocks == 0) return cudaSuccess;
  launch(combine_kernel<T, Y>, static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks),
         static_cast<unsigned>(kThreads), stream, task, static_cast<const T*>(x), static_cast<const Y*>(y),
         static_cast<T*>(out));
  return cudaGetLastError();
}

template <typename T>
cudaError_t combine_state(const CombineTask& task, const void* x, const void* y, void* out, cudaStream_t stream) {
  switch (task.y) {
    case CombineTask::Type::kFloat: return combine_as<T, float>(task, x, y, out, stream);
    case CombineTask::Type::kDouble: return combine_as<T, double>(task, x, y, out, stream);
    case CombineTask::Type::kBfloat16: return combine_as<T, __nv_bfloat16>(task, x, y, out, stream);
    case CombineTask::Type::kHalf: break;
  }
  return combine_as<T, __half>(task, x, y, out, stream);
}

}  // namespace

cudaError_t combine(const CombineTask& task, const void* x, const void* y, void* out, cudaStream_t stream) {
  return task.is_double ? combine_state<double>(task, x, y, out, stream)
                        : combine_state<float>(task, x, y, out, stream);
}

}  // namespace edmund::ops::cuda
