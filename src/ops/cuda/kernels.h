#pragma once

#include "edmund/core/philox.h"

#include <cstdint>
#include <cuda_runtime_api.h>

/// The GPU's kernels: plain pointers to its memory and a stream in, the launch's error out. They
/// know nothing of LibTorch. All images are channels-last, [images, pixels, channels]; sizes are
/// any, indices 64 bits wide; sums are float32 at least. A kernel computes what its twin in ops/cpu
/// does.
namespace edmund::ops::cuda {

enum class Element { kFloat, kBfloat16, kHalf };

struct ImageShape {
  Element type = Element::kFloat;
  std::int64_t images = 0, pixels = 0, channels = 0;
};

/// How many pieces the pixels of an image are summed in: a function of the shape of one image
/// alone, so that its sums do not depend on the batch.
std::int64_t parts_of(const ImageShape& shape);

// ---- philox.cu: writes its results, reads nothing.

/// A RandomKey for each row: element n of a row is lane n%4 of block n/4.
struct RowKeys {
  std::uint64_t seed = 0;
  Stream stream = Stream::kLatent;
  std::uint32_t draw = 0;
  const std::int64_t* samples = nullptr;  // [rows], on the GPU
};
cudaError_t draw_words(const RowKeys& keys, std::int64_t rows, std::int64_t count, std::uint32_t* out,
                       cudaStream_t stream);
cudaError_t draw_normal(const RowKeys& keys, std::int64_t rows, std::int64_t count, float* out, cudaStream_t stream);
cudaError_t draw_normal(const RowKeys& keys, std::int64_t rows, std::int64_t count, double* out, cudaStream_t stream);
cudaError_t draw_uniform(const RowKeys& keys, std::int64_t rows, std::int64_t count, float* out, cudaStream_t stream);
cudaError_t draw_uniform(const RowKeys& keys, std::int64_t rows, std::int64_t count, double* out, cudaStream_t stream);

// ---- norm.cu, norm_backward.cu: forward reads x twice and writes y once; backward reads x and dy
// twice and writes dx once.

/// Element n = channel·pixels + pixel of image i is kept if word n of (seed, kDropout, samples[i],
/// layer) is at least `limit`.
struct DropoutBits {
  RowKeys keys = {};  // samples null: no dropout
  std::uint32_t limit = 0;
  float kept = 1.0F;  // what survivors are multiplied by
};

/// y = dropout(silu(x·a + b)), a and b of each channel of an image from its group's statistics and
/// the parameters.
struct NormTask {
  ImageShape shape = {};
  std::int64_t groups = 1;
  double eps = 0.0;
  bool silu = true;
  DropoutBits dropout = {};
  const float *weight = nullptr, *bias = nullptr;  // [C]
  const float *scale = nullptr, *shift = nullptr;  // [B, C] or null
};
/// Most channels of a group.
constexpr std::int64_t kWidestGroup = 512;

/// rows [B, 4, C]: a, b, mean, 1/deviation. partial: memory for [B, parts_of(shape), 2, C].
cudaError_t norm_forward(const NormTask& task, const void* x, void* y, float* rows, float* partial,
                         cudaStream_t stream);
/// totals [B, 2, C]: sums over the pixels of dz and of dz·(x - mean)/deviation, dz the gradient of
/// x·a + b. terms: memory for [B, 2, C].
cudaError_t norm_backward(const NormTask& task, const void* x, const void* dy, const float* rows, void* dx,
                          float* totals, float* terms, float* partial, cudaStream_t stream);

// ---- pointwise.cu: each operand is read or written once.

/// y = (y + bias + per_sample + residual)·scale in place; bias [C], per_sample [B, C], residual as
/// y; each may be null.
cudaError_t epilogue(const ImageShape& shape, void* y, const float* bias, const float* per_sample, const void* residual,
                     float scale, cudaStream_t stream);
/// scaled = dy·scale unless null, and partial [B, parts_of(shape), C] its sums over the pixels of
/// each part.
cudaError_t scaled_sums(const ImageShape& shape, const void* dy, float scale, void* scaled, float* partial,
                        cudaStream_t stream);
/// rows·width pixels of y: factor · (sums of 2×2 pixels) of x, which has 2·rows rows of 2·width.
/// `shape`: images·pixels = rows·width of y.
cudaError_t shrink(Element type, std::int64_t rows, std::int64_t width, std::int64_t channels, const void* x,
                   float factor, void* y, cudaStream_t stream);
/// factor · each of rows·width pixels of x, as 2×2 pixels of y.
cudaError_t grow(Element type, std::int64_t rows, std::int64_t width, std::int64_t channels, const void* x,
                 float factor, void* y, cudaStream_t stream);

// ---- combine.cu: each operand is read or written once; noise is drawn in registers.

constexpr int kMostTerms = 8;
struct CombineTask {
  enum class Type { kFloat, kDouble, kBfloat16, kHalf };
  struct Layout {
    Type type = Type::kFloat;
    bool channels_last = false;  // else [images, channels, pixels]
  };
  struct Image {
    double factor = 0.0;
    const void* x = nullptr;
    Layout layout = {};
  };
  std::int64_t images = 0, channels = 0, pixels = 0;
  int count = 0;  // of terms
  Image terms[kMostTerms] = {};
  double noise_factor = 0.0;
  RowKeys noise = {};               // samples null: no noise
  Type noise_type = Type::kDouble;  // what the draws are rounded to
  void* out = nullptr;
  Layout out_layout = {};
};
/// out = Σ factor·x + noise_factor·n, summed in float64.
cudaError_t combine(const CombineTask& task, cudaStream_t stream);

// ---- adam.cu: reads gradient, parameters, moments and EMAs once and writes them once.

constexpr int kMostCopies = 8;
struct AdamTask {
  float *p = nullptr, *m = nullptr, *v = nullptr;
  const float* g = nullptr;
  float* ema[kMostCopies] = {};
  float* ema_rest[kMostCopies] = {};  // of each copy what rounding left of it, or null
  int copies = 0;
  std::int64_t size = 0;
  float one_minus_beta1 = 0, one_minus_beta2 = 0, eps = 0;
  // decay, 1/√correction2, step size, factor of the gradient, 1 - β of each EMA
  float terms[4 + kMostCopies] = {};
  const float* live_terms = nullptr;  // the same on the GPU, in their place; or null
  const float* norm = nullptr;        // of the gradient, on the GPU; or null
  float clip_norm = 0.0F;             // 0: none
  bool skip_nonfinite = false, zero_nonfinite = false;
};
cudaError_t adam(const AdamTask& task, cudaStream_t stream);

}  // namespace edmund::ops::cuda
