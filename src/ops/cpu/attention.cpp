// attention — softmax(q·kᵀ·scale)·v of one head, a block of queries at a time: all scores of a
// block fit the second-level cache, so that plain matrix products do the work and nothing is
// computed twice. Backward computes the weights again from the saved logarithms (Dao et al. 2022,
// §3.1).
#include "attention_loops.h"
#include "isa.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

constexpr long kQueries = 4 * kRows;  // of a block

// B [L, d] with padded rows into panels of Bᵀ [d, L].
void pack_transposed(const float* b, long L, long d, float* packed) {
  const long width = whole_panels(d);
  for (long n = 0; n < L; n += kPanel, packed += d * kPanel) {
    const long lanes = smaller(kPanel, L - n);
    for (long c = 0; c < d; ++c)
      for (long j = 0; j < kPanel; ++j) packed[c * kPanel + j] = j < lanes ? b[(n + j) * width + c] : 0.0F;
  }
}

// B [L, d] with padded rows into panels [L, panel].
void pack_rows(const float* b, long L, long d, float* packed) {
  const long width = whole_panels(d);
  for (long c = 0; c < d; c += kPanel)
    for (long i = 0; i < L; ++i, packed += kPanel)
      for (long j = 0; j < kPanel; j += kWidth) store(packed + j, load(b + i * width + c + j));
}

// The scratch of a task, one array behind the other. `packed_*` hold the second operand of a
// product.
struct Arrays {
  float *q, *k, *v, *packed_keys, *packed_values, *scores, *rows;
  float *slopes = nullptr, *gradient = nullptr, *dk = nullptr, *dv = nullptr,
        *packed_key_rows = nullptr;  // of backward

  Arrays(const Attention& t, float* at, bool backward) {
    const long matrix = t.L * whole_panels(t.d), packed = whole_panels(t.L) * whole_panels(t.d),
               block = kQueries * whole_panels(t.L);
    const auto take = [&](long floats) {
      float* out = at;
      at += floats;
      return out;
    };
    q = take(matrix), k = take(matrix), v = take(matrix);
    packed_keys = take(packed), packed_values = take(packed);
    scores = take(block), rows = take(kQueries * whole_panels(t.d));
    if (!backward) return;
    slopes = take(block);
    gradient = take(matrix), dk = take(matrix), dv = take(matrix), packed_key_rows = take(packed);
  }
};

}  // namespace

long attention_scratch(long L, long d, bool backward) {
  const long matrix = whole_panels(L) * whole_panels(d), block = kQueries * (whole_panels(L) + whole_panels(d));
  return (backward ? 9 : 5) * matrix + (backward ? 2 : 1) * block;
}

void attention(const Attention& t, const Range& queries, float* scratch) {
  const Arrays at(t, scratch, false);
  const long width = whole_panels(t.d), line = whole_panels(t.L);
  copy_part(t, 0, width, at.q), copy_part(t, 1, width, at.k), copy_part(t, 2, width, at.v);
  pack_transposed(at.k, t.L, t.d, at.packed_keys);
  pack_rows(at.v, t.L, t.d, at.packed_values);
  for (long i = queries.first; i < queries.last; i += kQueries) {
    const long rows = smaller(kQueries, queries.last - i);
    gemm_plane({at.q + i * width, width}, {rows, t.L, t.d}, at.packed_keys, {at.scores, line}, false);
    float sums[kQueries];
    for (long r = 0; r < rows; ++r) {
      float* row = at.scores + r * line;
      const float high = largest(row, t.L) * t.scale;
      sums[r] = exponentials(row, t.L, t.scale, high);
      if (t.log_sums != nullptr) t.log_sums[i + r] = high + __builtin_logf(sums[r]);
    }
    gemm_plane({at.scores, line}, {rows, t.d, t.L}, at.packed_values, {at.rows, width}, false);
    for (long r = 0; r < rows; ++r)
      for (long c = 0; c < t.d; c += kWidth)
        store(t.out + (i + r) * t.out_row + c, load(at.rows + r * width + c) * (1.0F / sums[r]), t.d - c);
  }
}

void attention_backward(const Attention& t, const float* dout, float* dqkv, float* scratch) {
  const Arrays at(t, scratch, true);
  const long width = whole_panels(t.d), line = whole_panels(t.L);
  copy_part(t, 0, width, at.q), copy_part(t, 1, width, at.k), copy_part(t, 2, width, at.v);
  for (long i = 0; i < t.L; ++i)
    for (long c = 0; c < width; c += kWidth)
      store(at.gradient + i * width + c, c < t.d ? load(dout + i * t.out_row + c, t.d - c) : Vec{});
  pack_transposed(at.k, t.L, t.d, at.packed_keys);
  pack_transposed(at.v, t.L, t.d, at.packed_values);
  pack_rows(at.k, t.L, t.d, at.packed_key_rows);
  for (long i = 0; i < t.L; i += kQueries) {
    const long rows = smaller(kQueries, t.L - i);
    const float* gradient = at.gradient + i * width;
    gemm_plane({at.q + i * width, width}, {rows, t.L, t.d}, at.packed_keys, {at.scores, line}, false);
    gemm_plane({gradient, width}, {rows, t.L, t.d}, at.packed_values, {at.slopes, line}, false);
    for (long r = 0; r < rows; ++r) {
      float *weights = at.scores + r * line, *slopes = at.slopes + r * line;
      exponentials(weights, t.L, t.scale, t.log_sums[i + r]);
      const float mean = dot(dout + (i + r) * t.out_row, t.out + (i + r) * t.out_row, t.d);
      for (long j = 0; j < whole_vectors(t.L); j += kWidth)
        store(slopes + j, load(weights + j) * (load(slopes + j) - mean) * t.scale);
    }
    const GemmSize sums_over_rows{.m = t.L, .n = t.d, .k = rows};
    gemm_transposed({at.scores, line}, {gradient, width}, sums_over_rows, {at.dv, width}, i > 0);
    gemm_transposed({at.slopes, line}, {at.q + i * width, width}, sums_over_rows, {at.dk, width}, i > 0);
    gemm_plane({at.slopes, line}, {rows, t.d, t.L}, at.packed_key_rows, {at.rows, width}, false);
    for (long r = 0; r < rows; ++r)
      for (long c = 0; c < t.d; ++c) dqkv[(i + r) * t.row + 3 * c] = at.rows[r * width + c];
  }
  for (long i = 0; i < t.L; ++i)
    for (long c = 0; c < t.d; ++c) {
      dqkv[i * t.row + 3 * c + 1] = at.dk[i * width + c];
      dqkv[i * t.row + 3 * c + 2] = at.dv[i * width + c];
    }
}

}  // namespace edmund::ops::cpu::EDMUND_ISA
