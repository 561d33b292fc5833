#include "inverted_residual.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <cstring>

// The loops over channels are compiled for each instruction set and chosen at run time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define EDMUND_EACH_ISA __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EDMUND_EACH_ISA
#endif

namespace edmund {
namespace {

constexpr std::int64_t kLanes = 16;  // channels at once
constexpr std::int64_t kRun = 4;     // pixels of a row that share the taps they load
// of a strip: 512 KB, half of a small second-level cache
constexpr std::int64_t kWideNumbers = 1 << 17;

/// Rows of a picture [rows, W, C] that a depthwise convolution reads, and one row that it writes.
struct Strip {
  const float* x;  // row 0
  float* y;
  const float *taps, *bias;
  std::int64_t C, W, out_W, kernel, stride, before;  // before: columns of padding
};

// A register of sixteen channels; compiled for less, it is as many as that takes.
using Lanes = float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

/// The row of the result whose first tap would lie on row `start` of x, of which those of the taps
/// [first, last) are there. Channels in sixteens; pixels in runs of four where no tap of theirs
/// lies outside.
EDMUND_EACH_ISA void depthwise_row(const Strip& p, std::int64_t start, std::int64_t first, std::int64_t last) {
  const std::int64_t C = p.C, step = p.stride * C;
  for (std::int64_t column = 0; column < p.out_W;) {
    const std::int64_t x0 = column * p.stride - p.before;
    const bool run = column + kRun <= p.out_W && x0 >= 0 && x0 + (kRun - 1) * p.stride + p.kernel <= p.W;
    const std::int64_t left = std::max<std::int64_t>(-x0, 0), right = std::min(p.kernel, p.W - x0);
    float* out = p.y + column * C;
    std::int64_t c = 0;
    for (; run && c + kLanes <= C; c += kLanes) {
      Lanes a = *reinterpret_cast<const Lanes*>(p.bias + c), b = a, d = a, e = a;
      for (std::int64_t i = first; i < last; ++i) {
        const float* x = p.x + ((start + i) * p.W + x0) * C + c;
        const float* taps = p.taps + i * p.kernel * C + c;
        for (std::int64_t j = 0; j < p.kernel; ++j, x += C, taps += C) {
          const Lanes tap = *reinterpret_cast<const Lanes*>(taps);
          a += *reinterpret_cast<const Lanes*>(x) * tap;
          b += *reinterpret_cast<const Lanes*>(x + step) * tap;
          d += *reinterpret_cast<const Lanes*>(x + 2 * step) * tap;
          e += *reinterpret_cast<const Lanes*>(x + 3 * step) * tap;
        }
      }
      for (Lanes* sum : {&a, &b, &d, &e}) {
        *sum = *sum > 0.0F ? *sum : Lanes{};
        *sum = *sum < 6.0F ? *sum : Lanes{} + 6.0F;
      }
      *reinterpret_cast<Lanes*>(out + c) = a;
      *reinterpret_cast<Lanes*>(out + C + c) = b;
      *reinterpret_cast<Lanes*>(out + 2 * C + c) = d;
      *reinterpret_cast<Lanes*>(out + 3 * C + c) = e;
    }
    const std::int64_t pixels = run ? kRun : 1;  // what is left: channels, or a pixel at an edge
    for (std::int64_t r = 0; r < pixels && c < C; ++r) {
      float* y = out + r * C;
      for (std::int64_t l = c; l < C; ++l) y[l] = p.bias[l];
      for (std::int64_t i = first; i < last; ++i)
        for (std::int64_t j = left; j < right; ++j) {
          const float* x = p.x + ((start + i) * p.W + x0 + r * p.stride + j) * C;
          const float* tap = p.taps + (i * p.kernel + j) * C;
          for (std::int64_t l = c; l < C; ++l) y[l] += x[l] * tap[l];
        }
      for (std::int64_t l = c; l < C; ++l) y[l] = std::min(std::max(y[l], 0.0F), 6.0F);
    }
    column += pixels;
  }
}

/// y = min(max(y + bias, 0), 6), y [rows, C].
EDMUND_EACH_ISA void add_and_cut(float* y, const float* bias, std::int64_t rows, std::int64_t C) {
  for (std::int64_t r = 0; r < rows; ++r, y += C)
    for (std::int64_t c = 0; c < C; ++c) y[c] = std::min(std::max(y[c] + bias[c], 0.0F), 6.0F);
}

/// y = y + bias, and + x where that is given; y, x [rows, C].
EDMUND_EACH_ISA void add_both(float* y, const float* bias, const float* x, std::int64_t rows, std::int64_t C) {
  for (std::int64_t r = 0; r < rows; ++r, y += C) {
    for (std::int64_t c = 0; c < C; ++c) y[c] += bias[c];
    if (x == nullptr) continue;
    for (std::int64_t c = 0; c < C; ++c) y[c] += x[c];
    x += C;
  }
}

/// [rows, columns] of memory that lies elsewhere.
Tensor matrix(const float* data, std::int64_t rows, std::int64_t columns) {
  return at::from_blob(const_cast<float*>(data), {rows, columns}, at::kFloat);
}

/// One picture [H, W, in] → [out_H, out_W, out].
void apply_to(const InvertedResidual& block, const float* x, float* y, std::int64_t H, std::int64_t W) {
  const std::int64_t wide = block.taps.size(1), out = block.project.size(1), kernel = block.kernel,
                     stride = block.stride, in = block.expand.defined() ? block.expand.size(0) : wide;
  const std::int64_t out_H = (H + stride - 1) / stride, out_W = (W + stride - 1) / stride;
  const auto before = [&](std::int64_t size, std::int64_t outs) {
    return std::max<std::int64_t>((outs - 1) * stride + kernel - size, 0) / 2;
  };
  const std::int64_t top = before(H, out_H), rows = std::clamp<std::int64_t>(kWideNumbers / (W * wide), 1, out_H);
  // Wide rows that are there: [base, known), from the front of `tall`.
  const Tensor tall_memory = at::empty({((rows - 1) * stride + kernel) * W * wide}),
               flat_memory = at::empty({rows * out_W * wide});
  float *const tall = tall_memory.mutable_data_ptr<float>(), *const flat = flat_memory.mutable_data_ptr<float>();
  std::int64_t base = 0, known = 0;
  for (std::int64_t row = 0; row < out_H; row += rows) {
    const std::int64_t last = std::min(row + rows, out_H);
    const std::int64_t from = std::max<std::int64_t>(row * stride - top, 0),
                       to = std::min((last - 1) * stride - top + kernel, H);
    if (from > base && known > from)
      std::memmove(tall, tall + (from - base) * W * wide,
                   static_cast<std::size_t>((known - from) * W * wide) * sizeof(float));
    known = std::max(known, from);
    base = from;
    float* fresh = tall + (known - base) * W * wide;
    if (to > known && block.expand.defined()) {
      Tensor wanted = matrix(fresh, (to - known) * W, wide);
      at::mm_out(wanted, matrix(x + known * W * in, (to - known) * W, in), block.expand);
      add_and_cut(fresh, block.expand_bias.const_data_ptr<float>(), (to - known) * W, wide);
    } else if (to > known) {
      std::memcpy(fresh, x + known * W * in, static_cast<std::size_t>((to - known) * W * in) * sizeof(float));
    }
    known = to;
    for (std::int64_t o = row; o < last; ++o) {
      const std::int64_t start = o * stride - top;
      depthwise_row({.x = tall,
                     .y = flat + (o - row) * out_W * wide,
                     .taps = block.taps.const_data_ptr<float>(),
                     .bias = block.taps_bias.const_data_ptr<float>(),
                     .C = wide,
                     .W = W,
                     .out_W = out_W,
                     .kernel = kernel,
                     .stride = stride,
                     .before = before(W, out_W)},
                    start - base, std::max<std::int64_t>(-start, 0), std::min(kernel, H - start));
    }
    Tensor wanted = matrix(y + row * out_W * out, (last - row) * out_W, out);
    at::mm_out(wanted, matrix(flat, (last - row) * out_W, wide), block.project);
    add_both(y + row * out_W * out, block.project_bias.const_data_ptr<float>(),
             block.adds_input ? x + row * W * in : nullptr, (last - row) * out_W, out);
  }
}

}  // namespace

Tensor applied(const InvertedResidual& block, const Tensor& x) {
  const Tensor input = x.contiguous(at::MemoryFormat::ChannelsLast);
  const std::int64_t B = input.size(0), in = input.size(1), H = input.size(2), W = input.size(3);
  const std::int64_t out = block.project.size(1), out_H = (H + block.stride - 1) / block.stride,
                     out_W = (W + block.stride - 1) / block.stride;
  Tensor result = at::empty({B, out, out_H, out_W}, input.options(), at::MemoryFormat::ChannelsLast);
  const float* from = input.const_data_ptr<float>();
  float* to = result.mutable_data_ptr<float>();
  at::parallel_for(0, B, 1, [&](std::int64_t first, std::int64_t last) {
    const c10::InferenceMode inference;
    for (std::int64_t i = first; i < last; ++i)
      apply_to(block, from + i * H * W * in, to + i * out_H * out_W * out, H, W);
  });
  return result;
}

}  // namespace edmund
