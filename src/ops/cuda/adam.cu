// Adam and the EMAs of the parameters over flat memory, in one launch; the arithmetic of
// ops/cpu/pointwise.cpp.
#include "device_code.cuh"

namespace edmund::ops::cuda {
namespace {

__device__ float cleaned(float d) {
  if (d != d) return 0.0F;
  return d > 3.402823466e38F ? 1e5F : d < -3.402823466e38F ? -1e5F : d;
}

// e + r = β·(e + r) + rate·p, rate = 1 - β; r, what rounding leaves of e, may be null.
__device__ void average(float p, float* e, float* r, float rate) {
  if (rate > 0.5F) {  // as seen from p, which it is at β = 0
    *e = p + (1.0F - rate) * (*e - p);
    if (r != nullptr) *r = 0.0F;
  } else if (r == nullptr) {
    *e += rate * (p - *e);
  } else {
    // Knuth's sum of two numbers and its error.
    const float old = *e, rest = *r, change = rate * ((p - old) - rest) + rest, sum = old + change, part = sum - old;
    *r = (old - (sum - part)) + (change - part);
    *e = sum;
  }
}

__global__ void adam_kernel(AdamTask t) {
  float terms[4 + kMostCopies];
#pragma unroll
  for (int i = 0; i < 4 + kMostCopies; ++i)
    terms[i] = t.live_terms == nullptr || i >= 4 + t.copies ? t.terms[i] : t.live_terms[i];
  const float decay = terms[0], inverse_root_correction2 = terms[1], step_size = terms[2];
  float factor = terms[3];
  if (t.norm != nullptr) {
    const float norm = *t.norm;
    if (t.skip_nonfinite && !isfinite(norm)) return;
    if (t.clip_norm > 0.0F && norm > t.clip_norm) factor *= t.clip_norm / norm;
  }
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < t.size; i += step) {
    float d = t.g[i];
    if (t.zero_nonfinite) d = cleaned(d);
    d *= factor;
    const float m = t.m[i] + (d - t.m[i]) * t.one_minus_beta1;
    const float v = t.v[i] + (d * d - t.v[i]) * t.one_minus_beta2;
    const float p = t.p[i] - (t.p[i] * decay + step_size * (m / (sqrtf(v) * inverse_root_correction2 + t.eps)));
    t.m[i] = m;
    t.v[i] = v;
    t.p[i] = p;
#pragma unroll
    for (int copy = 0; copy < kMostCopies; ++copy) {
      if (copy >= t.copies) break;
      average(p, t.ema[copy] + i, t.ema_rest[copy] == nullptr ? nullptr : t.ema_rest[copy] + i, terms[4 + copy]);
    }
  }
}

}  // namespace

cudaError_t adam(const AdamTask& task, cudaStream_t stream) {
  if (task.size == 0) return cudaSuccess;
  constexpr std::int64_t kThreads = 256, kMostBlocks = 4096;
  const std::int64_t blocks = (task.size + kThreads - 1) / kThreads;
  launch(adam_kernel, static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks),
         static_cast<unsigned>(kThreads), stream, task);
  return cudaGetLastError();
}

}  // namespace edmund::ops::cuda
