#pragma once

// attention as in attention.cpp, its products made of blocks of numbers rounded to bfloat16.
#include "attention_loops.h"
#include "direct_loops.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

constexpr long kAttentionRows = 8 * kBlockRows;  // queries whose scores are held at once
static_assert(kAttentionRows % (2 * kBlockDepth) == 0);

// Numbers of a row that is multiplied: whole depths and panels.
EDMUND_INLINE long whole_depths(long n) { return (n + 2 * kBlockDepth - 1) / (2 * kBlockDepth) * (2 * kBlockDepth); }
EDMUND_INLINE long whole_blocks(long n) { return (n + kBlockRows - 1) / kBlockRows * kBlockRows; }

// Rows [count, n] of floats, n whole depths, in pairs; rows of zeros up to `all`.
EDMUND_INLINE void round_matrix(const float* x, long count, long n, long all, Pair* to) {
  for (long i = 0; i < all; ++i)
    for (long c = 0; c < n; c += kWidth) store_halves(to + (i * n + c) / 2, i < count ? load(x + i * n + c) : Vec{});
}

// The transposed of such rows, as panels of the second operand of a product: columns are rows.
EDMUND_INLINE void turn_matrix(const Pair* rows, long count, long n, Pair* panels) {
  Vec turned[kWidth];
  for (long j = 0; j < count; j += kPanel, panels += n / 2 * kPanel)
    for (long half = 0; half < kPanel; half += kWidth)
      for (long p = 0; p < n / 2; p += kWidth) {
        turned_lanes(reinterpret_cast<const float*>(rows + (j + half) * (n / 2) + p), n / 2, kWidth, kWidth, turned);
        for (long i = 0; i < kWidth; ++i) store(panels + (p + i) * kPanel + half, (Bits)turned[i]);
      }
}

// Rows [count, n] of floats as panels of the second operand, in which rows are the depth: `all`
// of them, of which those from `count` on are zeros.
EDMUND_INLINE void pair_matrix(const float* x, long count, long n, long all, Pair* panels) {
  for (long c = 0; c < n; c += kPanel, panels += all / 2 * kPanel)
    paired_pixels(x, count, n, {c, c + kPanel}, 0, all / 2, panels);
}

// A block of rows of pairs times the panels of so many columns.
struct BlockProduct {
  const Pair* a;
  const Pair* panels;
  long depth, columns;  // depth: pairs, whole kBlockDepth
};
// finish(first column, sums [kBlockRows, kPanel]) of each panel.
template <typename Finish>
EDMUND_INLINE void each_panel(const BlockProduct& product, const Finish& finish) {
  BlockSums sums;
  alignas(64) float memory[kBlockRows * kPanel];
  for (long n = 0; n < product.columns; n += kPanel) {
    sums.clear();
    sums.add(product.a, product.depth, product.panels + n * product.depth, product.depth);
    sums.store(memory);
    finish(n, memory);
  }
}
// The sums as rows of a matrix.
EDMUND_INLINE void block_rows_of(const BlockProduct& product, float* to, long row) {
  each_panel(product, [&](long n, const float* sums) {
    for (long i = 0; i < kBlockRows; ++i)
      for (long j = 0; j < kPanel; j += kWidth) store(to + i * row + n + j, load(sums + i * kPanel + j));
  });
}

struct AttentionArrays {
  // q, k, v and the gradient of the result as they are, [L, width]
  float *dense[4] = {}, *scores = nullptr, *slopes = nullptr;
  // rows in pairs; panels of the second operand, transposed or not
  Pair *q = nullptr, *k = nullptr, *weights = nullptr, *gradient = nullptr;
  Pair *keys = nullptr, *values = nullptr, *key_rows = nullptr, *turned = nullptr, *query_panels = nullptr,
       *gradient_panels = nullptr;
  float *dq = nullptr, *dk = nullptr, *dv = nullptr;
  long floats = 0;

  AttentionArrays(long L, long d, bool backward, float* memory) {
    const long width = whole_depths(d), line = whole_depths(L), matrix = (line + kBlockRows) * width;
    const auto take = [&](long count) {
      float* const out = memory + floats;
      floats += (count + 15) / 16 * 16;
      return out;
    };
    const auto pairs = [&](long count) { return reinterpret_cast<Pair*>(take(count)); };
    for (long part = 0; part < (backward ? 4 : 3); ++part) dense[part] = take(L * width);
    scores = take(kAttentionRows * line);
    q = pairs(matrix / 2), k = pairs(matrix / 2), weights = pairs(kAttentionRows * line / 2);
    keys = pairs(matrix / 2), values = pairs(matrix / 2);
    if (!backward) return;
    slopes = take(kAttentionRows * line);
    gradient = pairs(matrix / 2), key_rows = pairs(matrix / 2);
    turned = pairs(line * kAttentionRows / 2);
    query_panels = pairs(kAttentionRows * width / 2), gradient_panels = pairs(kAttentionRows * width / 2);
    dq = take(kAttentionRows * width), dk = take(line * width), dv = take(line * width);
  }
};

long blocks_attention_scratch(long L, long d, bool backward) { return AttentionArrays(L, d, backward, nullptr).floats; }

void blocks_attention(const Attention& t, const Range& queries, float* scratch) {
  const AttentionArrays at(t.L, t.d, false, scratch);
  const long width = whole_depths(t.d), line = whole_depths(t.L), depth = width / 2;
  for (int part = 0; part < 3; ++part) copy_part(t, part, width, at.dense[part]);
  round_matrix(at.dense[0], t.L, width, whole_blocks(t.L) + kBlockRows, at.q);
  round_matrix(at.dense[1], t.L, width, line, at.k);
  turn_matrix(at.k, line, width, at.keys);
  pair_matrix(at.dense[2], t.L, width, line, at.values);
  float sums[kAttentionRows];
  for (long i = queries.first; i < queries.last; i += kAttentionRows) {
    const long rows = smaller(kAttentionRows, queries.last - i);
    for (long r = 0; r < rows; r += kBlockRows)
      block_rows_of({at.q + (i + r) * depth, at.keys, depth, line}, at.scores + r * line, line);
    for (long r = 0; r < whole_blocks(rows); ++r) {
      float* const row = at.scores + r * line;
      if (r < rows) {
        const float high = largest(row, t.L) * t.scale;
        sums[r] = exponentials(row, t.L, t.scale, high);
        if (t.log_sums != nullptr) t.log_sums[i + r] = high + __builtin_logf(sums[r]);
      }
      for (long j = 0; j < line; j += kWidth)
        store_halves(at.weights + (r * line + j) / 2, r < rows && j < t.L ? load(row + j, t.L - j) : Vec{});
    }
    for (long r = 0; r < rows; r += kBlockRows)
      each_panel({at.weights + r * line / 2, at.values, line / 2, t.d}, [&](long n, const float* block) {
        for (long c = n; c < smaller(n + kPanel, t.d); c += kWidth)
          for (long q = 0; q < smaller(kBlockRows, rows - r); ++q)
            store(t.out + (i + r + q) * t.out_row + c, load(block + q * kPanel + c - n) * (1.0F / sums[r + q]),
                  smaller(n + kPanel, t.d) - c);
      });
  }
}

// to (+)= the transposed of rows [count, line] times rows [count, width] that are panels already.
EDMUND_INLINE void add_transposed(const float* rows, long count, long line, const Pair* panels, long width,
                                  bool accumulate, Pair* turned, float* to) {
  turned_rows(rows, count, line, {0, line}, {turned, kAttentionRows / 2});
  for (long j = 0; j < line; j += kBlockRows)
    each_panel({turned + j * kAttentionRows / 2, panels, kAttentionRows / 2, width}, [&](long n, const float* sums) {
      for (long i = 0; i < kBlockRows; ++i)
        for (long c = 0; c < kPanel; c += kWidth) {
          float* const place = to + (j + i) * width + n + c;
          const Vec sum = load(sums + i * kPanel + c);
          store(place, accumulate ? load(place) + sum : sum);
        }
    });
}

void blocks_attention_backward(const Attention& t, const float* dout, float* dqkv, float* scratch) {
  const AttentionArrays at(t.L, t.d, true, scratch);
  const long width = whole_depths(t.d), line = whole_depths(t.L), depth = width / 2;
  for (int part = 0; part < 3; ++part) copy_part(t, part, width, at.dense[part]);
  for (long i = 0; i < t.L; ++i)
    for (long c = 0; c < width; c += kWidth)
      store(at.dense[3] + i * width + c, c < t.d ? load(dout + i * t.out_row + c, t.d - c) : Vec{});
  round_matrix(at.dense[0], t.L, width, whole_blocks(t.L), at.q);
  round_matrix(at.dense[3], t.L, width, whole_blocks(t.L), at.gradient);
  round_matrix(at.dense[1], t.L, width, line, at.k);
  turn_matrix(at.k, line, width, at.keys);
  round_matrix(at.dense[2], t.L, width, line, at.k);
  turn_matrix(at.k, line, width, at.values);
  pair_matrix(at.dense[1], t.L, width, line, at.key_rows);
  // Queries beyond the last are zeros, of which nothing comes.
  for (long i = 0; i < t.L; i += kAttentionRows) {
    const long rows = smaller(kAttentionRows, t.L - i);
    for (long r = 0; r < rows; r += kBlockRows) {
      block_rows_of({at.q + (i + r) * depth, at.keys, depth, line}, at.scores + r * line, line);
      block_rows_of({at.gradient + (i + r) * depth, at.values, depth, line}, at.slopes + r * line, line);
    }
    for (long r = 0; r < kAttentionRows; ++r) {
      float *const weights = at.scores + r * line, *const slopes = at.slopes + r * line;
      if (r < rows) exponentials(weights, t.L, t.scale, t.log_sums[i + r]);
      const long there = r < rows ? t.L : 0;
      const float mean = r < rows ? dot(dout + (i + r) * t.out_row, t.out + (i + r) * t.out_row, t.d) : 0.0F;
      for (long j = 0; j < line; j += kWidth) {
        const long n = there - j;
        const Vec w = n > 0 ? load(weights + j, n) : Vec{};
        const Vec s = n > 0 ? w * (load(slopes + j, n) - mean) * t.scale : Vec{};
        store(weights + j, w), store(slopes + j, s);
      }
    }
    pair_matrix(at.dense[3] + i * width, rows, width, kAttentionRows, at.gradient_panels);
    add_transposed(at.scores, kAttentionRows, line, at.gradient_panels, width, i > 0, at.turned, at.dv);
    pair_matrix(at.dense[0] + i * width, rows, width, kAttentionRows, at.query_panels);
    add_transposed(at.slopes, kAttentionRows, line, at.query_panels, width, i > 0, at.turned, at.dk);
    round_matrix(at.slopes, kAttentionRows, line, kAttentionRows, at.weights);
    for (long r = 0; r < rows; r += kBlockRows)
      block_rows_of({at.weights + r * line / 2, at.key_rows, line / 2, width}, at.dq + r * width, width);
    for (long r = 0; r < rows; ++r)
      for (long c = 0; c < t.d; ++c) dqkv[(i + r) * t.row + 3 * c] = at.dq[r * width + c];
  }
  for (long i = 0; i < t.L; ++i)
    for (long c = 0; c < t.d; ++c) {
      dqkv[i * t.row + 3 * c + 1] = at.dk[i * width + c];
      dqkv[i * t.row + 3 * c + 2] = at.dv[i * width + c];
    }
}

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
