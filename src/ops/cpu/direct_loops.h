#pragma once

// The direct convolution: products of blocks of pixels with a matrix for each tap of the filter.
#include "block_sums.h"
#include "epilogue.h"
#include "gemm_blocks.h"
#include "winograd_loops.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

/// A filter as it is, for filter_of().
struct Taps3x3 {
  static constexpr long kTaps = 9;
  template <typename Get, typename Put>
  EDMUND_INLINE static void weight(const Get& get, const Put& put) {
    for (int tap = 0; tap < kTaps; ++tap) put(tap, get(tap));
  }
};

/// Calls f with the pointer to the numbers, of their type.
template <typename Call>
EDMUND_INLINE void with_numbers(const Activations& x, const Call& f) {
  x.is_bf16 ? f(static_cast<const Bf16*>(x.data)) : f(static_cast<const float*>(x.data));
}
template <typename Call>
EDMUND_INLINE void with_numbers(const MutableActivations& x, const Call& f) {
  x.is_bf16 ? f(static_cast<Bf16*>(x.data)) : f(static_cast<float*>(x.data));
}

// Sums of a block of pixels to their places in columns `n` of y.
template <typename Y>
EDMUND_INLINE void finish_block(const PixelBlock& block, const float* sums, const Range& n, const MatrixOf<Y>& y,
                                const Epilogue& e) {
  const float* const add = e.add != nullptr ? e.add + block.image * e.add_stride : nullptr;
  for (long j = 0; j < n.last - n.first; j += kWidth) {
    const long column = n.first + j, width = n.last - column;
    const Vec plus = add != nullptr ? load(add + column, width) : Vec{};
    for (long i = 0; i < block.count; ++i) {
      const long at = (block.pixel + i) * y.row + column;
      store(y.data + at, finished(e, load(sums + i * kPanel + j), plus, at, width), width);
    }
  }
}

// Sums stay in the second-level cache until all depths have been added, pieces of which stay in the
// first-level cache for so many blocks.
constexpr long kBlocksAtOnce = 32, kDepthAtOnce = 192;  // pairs, of all taps of a row of the filter

// block_at(i): the blocks of task.
template <typename BlockAt, typename Y>
EDMUND_INLINE void direct_of(const DirectProduct& task, const BlockAt& block_at, const MatrixOf<Y>& y,
                             const Epilogue& e) {
  const long together = smaller(3, task.tap_count), step = kDepthAtOnce / together;
  BlockSums sums;
  alignas(64) float begun[kBlocksAtOnce * kBlockRows * kPanel];
  for (long n = task.columns.first; n < task.columns.last; n += kPanel) {
    const Pair* const panel = task.packed + n * task.depth;
    const Range columns{n, smaller(n + kPanel, task.columns.last)};
    for (long i0 = 0; i0 < task.block_count; i0 += kBlocksAtOnce) {
      const long i1 = smaller(i0 + kBlocksAtOnce, task.block_count);
      for (long t0 = 0; t0 < task.tap_count; t0 += together)
        for (long d = 0; d < task.depth; d += step) {
          const long depth = smaller(step, task.depth - d), t1 = smaller(t0 + together, task.tap_count);
          const bool first = t0 == 0 && d == 0, last = t1 == task.tap_count && d + depth == task.depth;
          for (long i = i0; i < i1; ++i) {
            const PixelBlock block = block_at(i);
            float* const sum = begun + (first && last ? 0 : i - i0) * kBlockRows * kPanel;
            first ? sums.clear() : sums.load(sum);
            for (long t = t0; t < t1; ++t)
              sums.add(task.rows.data + block.from + task.taps[t] + d, task.rows.row,
                       panel + t * task.plane + d * kPanel, depth);
            sums.store(sum);
            if (last) finish_block(block, sum, columns, y, e);
          }
        }
    }
  }
}

/// Bf16Kernels::gemm by blocks.
void product_by_blocks(const ConstPairMatrix& a, const GemmSize& size, const Pair* packed, long block,
                       const MutableActivations& y, long y_row, const Epilogue& epilogue) {
  if (size.k % kBlockDepth != 0)
    return product<Pair>(a, size, packed, block, {static_cast<float*>(y.data), y_row}, epilogue);
  const long row = a.row, rows = size.m, tap = 0;
  const DirectProduct task{.rows = a,
                           .taps = &tap,
                           .tap_count = 1,
                           .packed = packed,
                           .depth = size.k,
                           .block_count = (rows + kBlockRows - 1) / kBlockRows,
                           .columns = {0, size.n}};
  const auto block_at = [&](long i) {
    return PixelBlock{
        .from = i * kBlockRows * row, .pixel = i * kBlockRows, .count = smaller(kBlockRows, rows - i * kBlockRows)};
  };
  with_numbers(y, [&]<typename Y>(Y* to) { direct_of(task, block_at, MatrixOf<Y>{to, y_row}, epilogue); });
}

void direct_filter(const FilterWeight& weight, const Range& c, const Range& n, const PairFilterPlanes& u) {
  filter_of<Taps3x3>(weight, c, n, u);
}

void direct(const DirectProduct& task, const MutableActivations& y, long K, const Epilogue& epilogue) {
  const auto block_at = [&](long i) { return task.blocks[i]; };
  with_numbers(y, [&]<typename Y>(Y* to) { direct_of(task, block_at, MatrixOf<Y>{to, K}, epilogue); });
}

template <typename X>
void turned_rows(const X* x, long rows, long C, const Range& c, const PairMatrix& to) {
  Vec turned[kWidth];
  for (long i = c.first; i < c.last; i += kWidth) {
    const long count = smaller(kWidth, c.last - i);
    Pair* const pairs = to.data + (i - c.first) * to.row;
    for (long p = 0; p < (rows + kBlockRows - 1) / kBlockRows * kBlockRows; p += kWidth) {
      turned_lanes(x + p * C + i, C, smaller(kWidth, rows - p), count, turned);
      for (long n = 0; n < count; ++n) store_halves(pairs + n * to.row + p / 2, turned[n]);
    }
  }
}

void turn_rows(const Activations& x, long rows, long C, const Range& c, const PairMatrix& to) {
  with_numbers(x, [&](const auto* from) { turned_rows(from, rows, C, c, to); });
}

EDMUND_INLINE Bits halves_of(const float* x, long n) { return bf16_bits(load(x, n)); }
EDMUND_INLINE Bits halves_of(const Bf16* x, long n) { return load_halves(x, n); }

template <typename X>
void paired_pixels(const X* x, long W, long C, const Range& c, long shift, long pairs, Pair* to) {
  for (long i = 0; i < pairs; ++i, to += kPanel) {
    const long p = 2 * i + shift;
    const bool first = p >= 0 && p < W, second = p + 1 >= 0 && p + 1 < W;
    for (long j = 0; j < kPanel; j += kWidth) {
      const long n = c.last - c.first - j;
      const X* const from = x + p * C + c.first + j;
      const Bits a = first && n > 0 ? halves_of(from, n) : Bits{},
                 b = second && n > 0 ? halves_of(from + C, n) : Bits{};
      store(to + j, a | b << 16);
    }
  }
}

void pair_pixels(const Activations& x, long W, long C, const Range& c, long shift, long pairs, Pair* to) {
  with_numbers(x, [&](const auto* from) { paired_pixels(from, W, C, c, shift, pairs, to); });
}

void direct_gradient(const DirectGradient& task) {
  BlockSums sums;
  // Pieces of x stay in the first-level cache for all outputs, those of dy for a column of taps.
  for (long column = 0; column < task.across; ++column)
    for (long i = 0; i < task.images; ++i)
      for (long d = 0; d < task.depth; d += kDepthAtOnce) {
        const bool first = i == 0 && d == 0 && !task.accumulate;
        const long depth = smaller(kDepthAtOnce, task.depth - d);
        for (long k = task.k.first; k < task.k.last; k += kBlockRows)
          for (long t = column; t < task.across * task.across; t += task.across) {
            float* const sum = task.sums.data + t * task.sums.plane + (k - task.k.first) * kPanel;
            first ? sums.clear() : sums.load(sum);
            sums.add(task.dy.data + k * task.dy.row + i * task.depth + d, task.dy.row,
                     task.x + i * task.x_image + task.taps[t] + d * kPanel, depth);
            sums.store(sum);
          }
      }
}

void direct_filter_gradient(const ConstPlanes& sums, long taps, const Range& c, const Range& k, long C, float scale,
                            float* dw) {
  Vec turned[kWidth];
  for (long i = k.first; i < k.last; ++i) {
    const float* const row = sums.data + (i - k.first) * sums.row;
    for (long n = c.first; n < c.last; n += kWidth)
      for (long t = 0; t < taps; t += kWidth) {
        const long count = smaller(kWidth, c.last - n), lanes = smaller(kWidth, taps - t);
        turned_lanes(row + n - c.first + t * sums.plane, sums.plane, lanes, count, turned);
        for (long j = 0; j < count; ++j) store(dw + (i * C + n + j) * taps + t, turned[j] * scale, lanes);
      }
  }
}

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
