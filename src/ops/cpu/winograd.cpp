// winograd — convolutions with fewer multiplications: y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A on tiles of pixels (Lavin & Gray 2016), 2.25 an element of the result
// instead of 9 for 3×3. The sum over channels makes a matrix product for each point (gemm_plane); these are the transforms before and after.
#include "isa.h"
#include "vector.h"
#include "winograd_tiles.h"

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

template <typename A>
void input_of(const Tiles& tiles, const float* x, long C, long t0, long t1, float* v, long plane, long row) {
  static const float zeros[kWidth] = {};
  const long H = tiles.H, W = tiles.W;
  for (long t = t0; t < t1; ++t, v += row) {
    const Tile tile = tile_at(tiles, t);
    const long top = tile.y - tiles.y_pad, left = tile.x - tiles.x_pad;
    const float* origin = x + ((tile.image * H + top) * W + left) * C;
    const auto there = [&](long i, long j) { return top + i >= 0 && top + i < H && left + j >= 0 && left + j < W; };
    const bool inside = there(0, 0) && there(A::kRowsIn - 1, A::kColumnsIn - 1);
    const auto store_at = [&](long c) { return [=](int p, Vec value) { store(v + p * plane + c, value); }; };
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
    for (; c < row; c += kWidth)
      for (int p = 0; p < A::kPoints; ++p) store(v + p * plane + c, Vec{});
  }
}

template <typename A>
void output_of(const Tiles& tiles, const float* m, long plane, long row, long t0, long t1, long n0, long n1,
               const TileOutput& out) {
  const long last = smaller(n1, out.K);
  for (long t = t0; t < t1; ++t, m += row) {
    const Tile tile = tile_at(tiles, t);
    const long rows = smaller(A::kHeight, tiles.out_H - tile.y), columns = smaller(A::kWidthOut, tiles.out_W - tile.x);
    const long line = tiles.out_W * out.K;
    const long corner = ((tile.image * tiles.out_H + tile.y) * tiles.out_W + tile.x) * out.K;
    const float* add = out.add != nullptr ? out.add + tile.image * out.add_stride : nullptr;
    for (long k = n0; k < last; k += kWidth) {
      const long n = last - k;
      const float* from = m + k - n0;
      const Vec plus = add != nullptr ? load(add + k, n) : Vec{};
      A::output([&](int p) { return load(from + p * plane); },
                [&](int i, int j, Vec sum) {
                  if (i >= rows || j >= columns) return;
                  const long at = corner + i * line + j * out.K + k;
                  Vec y = sum * out.scale + plus;
                  if (out.residual != nullptr) y += load(out.residual + at, n) * out.scale;
                  if (out.relu) y = y > 0.0F ? y : Vec{};
                  store(out.y + at, y, n);
                });
    }
  }
}

// Lane r of out[i] = element i of row r: `lanes` rows `stride` floats apart, `count` elements of each, both at most kWidth. Each of the log2 kWidth
// rounds interleaves the two halves of the rows; after the last one rows and columns have changed places.
EDMUND_INLINE void turned_lanes(const float* rows, long stride, long lanes, long count, Vec* out) {
  Vec a[kWidth], b[kWidth];
  for (long r = 0; r < kWidth; ++r) a[r] = r < lanes ? load(rows + r * stride, count) : Vec{};
  Bits low{}, high{};
  for (long i = 0; i < kWidth; ++i) {
    low[i] = static_cast<std::uint32_t>(i / 2 + i % 2 * kWidth);
    high[i] = static_cast<std::uint32_t>(kWidth / 2 + i / 2 + i % 2 * kWidth);
  }
  for (long round = 1; round < kWidth; round *= 2) {
    for (long r = 0; r < kWidth / 2; ++r) {
      b[2 * r] = __builtin_shuffle(a[r], a[r + kWidth / 2], low);
      b[2 * r + 1] = __builtin_shuffle(a[r], a[r + kWidth / 2], high);
    }
    for (long r = 0; r < kWidth; ++r) a[r] = b[r];
  }
  for (long r = 0; r < kWidth; ++r) out[r] = a[r];
}

template <typename A>
void weights_of(const FilterWeight& weight, long c0, long c1, long n0, long n1, float* u, long plane, long depth) {
  // Taps of one input channel lie side by side; where those of the next follow them, several channels are turned at once.
  const long together = weight.c_stride == A::kTaps ? kWidth : 1;
  for (long k = n0; k < whole_panels(n1); k += kWidth) {
    float* panel = u + (k - n0) / kPanel * depth * kPanel + k % kPanel;
    const long lanes = smaller(kWidth, weight.K - k);
    for (long c = c0; c < c1; c += together) {
      const long taps = A::kTaps * smaller(together, c1 - c);
      const float* from = weight.w + k * weight.k_stride + c * weight.c_stride;
      if (together == 1) {  // pieces far apart, which the processor does not read ahead by itself
        const float* soon = from + 4 * weight.c_stride;
        for (long i = 0; i < (A::kTaps + 1) * kWidth; i += 16) __builtin_prefetch(soon + i);
      }
      Vec turned[(A::kTaps + 1) * kWidth];
      for (long i = 0; i < taps; i += kWidth)
        turned_lanes(from + i, weight.k_stride, lanes, smaller(kWidth, taps - i), turned + i);
      for (long n = 0; n < taps; n += A::kTaps) {
        float* to = panel + (c - c0 + n / A::kTaps) * kPanel;
        A::weight([&](int tap) { return turned[n + (weight.rotated ? A::kTaps - 1 - tap : tap)]; },
                  [&](int p, Vec value) { store(to + p * plane, value); });
      }
    }
  }
}

}  // namespace

void winograd_input(const Tiles& tiles, const float* x, long C, long t0, long t1, float* v, long plane, long row) {
  with_tile(tiles.kind, [&]<typename A>(A) { input_of<A>(tiles, x, C, t0, t1, v, plane, row); });
}

void winograd_output(const Tiles& tiles, const float* m, long plane, long row, long t0, long t1, long n0, long n1,
                     const TileOutput& out) {
  with_tile(tiles.kind, [&]<typename A>(A) { output_of<A>(tiles, m, plane, row, t0, t1, n0, n1, out); });
}

void winograd_weights(WinogradTile kind, const FilterWeight& weight, long c0, long c1, long n0, long n1, float* u,
                      long plane, long depth) {
  with_tile(kind, [&]<typename A>(A) { weights_of<A>(weight, c0, c1, n0, n1, u, plane, depth); });
}

void winograd_gradient(const Tiles& tiles, const float* dy, long K, long t0, long t1, float* v, long plane, long row) {
  for (long t = t0; t < t1; ++t, v += row) {
    const Tile tile = tile_at(tiles, t);
    const float* origin = dy + ((tile.image * tiles.out_H + tile.y) * tiles.out_W + tile.x) * K;
    const long rows = smaller(4, tiles.out_H - tile.y), columns = smaller(4, tiles.out_W - tile.x);
    for (long k = 0; k < row; k += kWidth) {
      const long n = K - k;
      on_square<4, 6>(
          [](const Vec(&in)[4], Vec(&out)[6]) __attribute__((always_inline)) { F4x3::gradient(in, out); },
          [&](int i, int j) __attribute__((always_inline)) {
            return n > 0 && i < rows && j < columns ? load(origin + (i * tiles.out_W + j) * K + k, n) : Vec{};
          },
          [&](int i, int j, Vec value) __attribute__((always_inline)) { store(v + (6 * i + j) * plane + k, value); });
    }
  }
}

void winograd_weight_gradient(const float* du, long plane, long row, long C, long c0, long c1, long k0, long k1,
                              float scale, float* dw) {
  for (long k = k0; k < k1; k += kWidth) {
    const long lanes = smaller(kWidth, k1 - k);
    // Gradients of kWidth channels of the result, and of as many input channels as one turn takes: 9 taps each.
    for (long c = c0; c < c1; c += kWidth) {
      const long count = smaller(kWidth, c1 - c);
      float taps[9 * kWidth][kWidth];
      for (long n = 0; n < count; ++n) {
        const float* from = du + (c - c0 + n) * row + k - k0;
        on_square<6, 3>(
            [](const Vec(&in)[6], Vec(&out)[3]) __attribute__((always_inline)) { F4x3::weight_gradient(in, out); },
            [&](int i, int j) __attribute__((always_inline)) { return load(from + (6 * i + j) * plane); },
            [&](int i, int j, Vec g) __attribute__((always_inline)) { store(taps[9 * n + 3 * i + j], g * scale); });
      }
      for (long i = 0; i < 9 * count; i += kWidth) {
        Vec turned[kWidth];
        turned_lanes(taps[i], kWidth, kWidth, kWidth, turned);  // rows beyond 9·count hold what was there: not stored
        const long n = smaller(kWidth, 9 * count - i);
        for (long lane = 0; lane < lanes; ++lane) store(dw + ((k + lane) * C + c) * 9 + i, turned[lane], n);
      }
    }
  }
}

}  // namespace edmund::ops::cpu::EDMUND_ISA
