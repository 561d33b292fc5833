#pragma once

// Convolutions with fewer multiplications, y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A on tiles of pixels (Lavin &
// Gray 2016), 2.25 for each element of the result instead of 9 for 3×3: the transforms before and
// after the sum over channels, which is a matrix product for each point.
#include "bf16_kernels.h"
#include "epilogue.h"
#include "vector.h"
#include "winograd_tiles.h"

#include <utility>

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

/// A tile: its image and its first pixel in the result.
struct Tile {
  long image, y, x;
};
EDMUND_INLINE Tile tile_at(const Tiles& tiles, long t) {
  const WinogradTileShape& shape = kWinogradTiles[static_cast<int>(tiles.kind)];
  const long row = t / tiles.columns;
  return {row / tiles.rows, row % tiles.rows * shape.height, t % tiles.columns * shape.width};
}

/// Where transformed tiles go: a row for each, of which put() takes channels c, c + 1, … of a
/// point.
struct FloatRows {
  Planes planes;

  struct Row {
    float* data;
    long plane;
    EDMUND_INLINE void put(int p, long c, Vec value) const { store(data + p * plane + c, value); }
  };
  EDMUND_INLINE Row row(long n) const { return {planes.data + n * planes.row, planes.plane}; }
  EDMUND_INLINE long channels() const { return planes.row; }
};

template <typename A, typename To>
void input_of(const Tiles& tiles, const float* x, long C, const Range& ts, const To& to) {
  static const float zeros[kWidth] = {};
  const long H = tiles.H, W = tiles.W;
  for (long t = ts.first; t < ts.last; ++t) {
    const Tile tile = tile_at(tiles, t);
    const long top = tile.y - tiles.y_pad, left = tile.x - tiles.x_pad;
    const float* origin = x + ((tile.image * H + top) * W + left) * C;
    const auto there = [&](long i, long j) { return top + i >= 0 && top + i < H && left + j >= 0 && left + j < W; };
    const bool inside = there(0, 0) && there(A::kRowsIn - 1, A::kColumnsIn - 1);
    const auto row = to.row(t - ts.first);
    const auto store_at = [&](long c) { return [=](int p, Vec value) { row.put(p, c, value); }; };
    long c = 0;
    if (inside) {
      for (; c + kWidth <= C; c += kWidth)
        A::input([&](int i, int j) { return load(origin + (i * W + j) * C + c); }, store_at(c));
    } else {
      const float* at[A::kRowsIn][A::kColumnsIn];
      for (long i = 0; i < A::kRowsIn; ++i)
        for (long j = 0; j < A::kColumnsIn; ++j) at[i][j] = there(i, j) ? origin + (i * W + j) * C : nullptr;
      for (; c + kWidth <= C; c += kWidth)
        A::input([&](int i, int j) { return load(at[i][j] != nullptr ? at[i][j] + c : zeros); }, store_at(c));
    }
    if (c < C) {
      A::input([&](int i, int j) { return there(i, j) ? load(origin + (i * W + j) * C + c, C - c) : Vec{}; },
               store_at(c));
      c += kWidth;
    }
    for (; c < to.channels(); c += kWidth)
      for (int p = 0; p < A::kPoints; ++p) row.put(p, c, Vec{});
  }
}

template <typename A>
void output_of(const Tiles& tiles, const ConstPlanes& planes, const Range& ts, const Range& channels, float* y, long K,
               const Epilogue& epilogue) {
  const Epilogue e = epilogue;
  const long last = smaller(channels.last, K), plane = planes.plane;
  const float* m = planes.data;
  for (long t = ts.first; t < ts.last; ++t, m += planes.row) {
    const Tile tile = tile_at(tiles, t);
    const long rows = smaller(A::kHeight, tiles.out_H - tile.y), columns = smaller(A::kWidthOut, tiles.out_W - tile.x);
    const long line = tiles.out_W * K;
    const long corner = ((tile.image * tiles.out_H + tile.y) * tiles.out_W + tile.x) * K;
    const float* add = e.add != nullptr ? e.add + tile.image * e.add_stride : nullptr;
    for (long k = channels.first; k < last; k += kWidth) {
      const long n = last - k;
      const float* from = m + k - channels.first;
      const Vec plus = add != nullptr ? load(add + k, n) : Vec{};
      A::output([&](int p) { return load(from + p * plane); },
                [&](int i, int j, Vec sum) {
                  if (i >= rows || j >= columns) return;
                  const long at = corner + i * line + j * K + k;
                  store(y + at, finished(e, sum, plus, at, n), n);
                });
    }
  }
}

// Lanes first, first + 1, … of a and of b by turns.
template <std::size_t first, std::size_t... i>
EDMUND_INLINE Vec interleaved(Vec a, Vec b, std::index_sequence<i...> /*lanes*/) {
  return __builtin_shufflevector(a, b, (first + i / 2 + i % 2 * kWidth)...);
}

// Lane r of out[i] = element i of row r: `lanes` rows `stride` floats apart, `count` elements of
// each, both at most kWidth. Each of the log2 kWidth rounds interleaves the two halves of the rows;
// after the last one rows and columns have changed places.
template <typename Number>
EDMUND_INLINE void turned_lanes(const Number* rows, long stride, long lanes, long count, Vec* out) {
  Vec a[kWidth], b[kWidth];
  for (long r = 0; r < kWidth; ++r) a[r] = r < lanes ? load(rows + r * stride, count) : Vec{};
  for (long round = 1; round < kWidth; round *= 2) {
    for (long r = 0; r < kWidth / 2; ++r) {
      b[2 * r] = interleaved<0>(a[r], a[r + kWidth / 2], std::make_index_sequence<kWidth>());
      b[2 * r + 1] = interleaved<kWidth / 2>(a[r], a[r + kWidth / 2], std::make_index_sequence<kWidth>());
    }
    for (long r = 0; r < kWidth; ++r) a[r] = b[r];
  }
  for (long r = 0; r < kWidth; ++r) out[r] = a[r];
}

// Columns of a packed matrix at this depth.
EDMUND_INLINE void put_depth(float* panel, long depth, Vec value) { store(panel + depth * kPanel, value); }
// A half of each pair. The first comes first: it leaves a zero for the second.
EDMUND_INLINE void put_half(Pair* to, bool second, Vec value) {
  store(to, second ? load(to) | bf16_bits(value) << 16 : bf16_bits(value));
}
// Depths come in their order.
EDMUND_INLINE void put_depth(Pair* panel, long depth, Vec value) {
  put_half(panel + depth / 2 * kPanel, depth % 2 == 1, value);
}

template <typename A, typename Number>
void filter_of(const FilterWeight& weight, const Range& c_range, const Range& n_range,
               const FilterPlanesOf<Number>& u) {
  // Taps of one input channel lie side by side; where those of the next follow them, several
  // channels are turned at once.
  const long together = weight.c_stride == A::kTaps ? kWidth : 1;
  for (long k = n_range.first; k < whole_panels(n_range.last); k += kWidth) {
    Number* panel = u.data + (k - n_range.first) / kPanel * u.depth * kPanel + k % kPanel;
    const long lanes = smaller(kWidth, weight.K - k);
    for (long c = c_range.first; c < c_range.last; c += together) {
      const long taps = A::kTaps * smaller(together, c_range.last - c);
      const float* from = weight.w + k * weight.k_stride + c * weight.c_stride;
      if (together == 1) {  // pieces far apart, which the processor does not read ahead by itself
        const float* soon = from + 4 * weight.c_stride;
        for (long i = 0; i < (A::kTaps + 1) * kWidth; i += 16) __builtin_prefetch(soon + i);
      }
      Vec turned[(A::kTaps + 1) * kWidth];
      for (long i = 0; i < taps; i += kWidth)
        turned_lanes(from + i, weight.k_stride, lanes, smaller(kWidth, taps - i), turned + i);
      for (long n = 0; n < taps; n += A::kTaps) {
        const long depth = c - c_range.first + n / A::kTaps;
        A::weight([&](int tap) { return turned[n + (weight.rotated ? A::kTaps - 1 - tap : tap)]; },
                  [&](int p, Vec value) { put_depth(panel + p * u.plane, depth, value); });
      }
    }
  }
}

template <typename To>
void gradient_of(const Tiles& tiles, const float* dy, long K, const Range& ts, const To& to) {
  for (long t = ts.first; t < ts.last; ++t) {
    const Tile tile = tile_at(tiles, t);
    const float* origin = dy + ((tile.image * tiles.out_H + tile.y) * tiles.out_W + tile.x) * K;
    const long rows = smaller(4, tiles.out_H - tile.y), columns = smaller(4, tiles.out_W - tile.x);
    const auto row = to.row(t - ts.first);
    for (long k = 0; k < to.channels(); k += kWidth) {
      const long n = K - k;
      on_square<4, 6>(
          [](const Vec(&in)[4], Vec(&out)[6]) __attribute__((always_inline)) { F4x3::gradient(in, out); },
          [&](int i, int j) __attribute__((always_inline)) {
            return n > 0 && i < rows && j < columns ? load(origin + (i * tiles.out_W + j) * K + k, n) : Vec{};
          },
          [&](int i, int j, Vec value) __attribute__((always_inline)) { row.put(6 * i + j, k, value); });
    }
  }
}

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
