// winograd — 3×3 convolution with 2.25 multiplications an element of the result instead of 9: y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A on tiles of 4×4 pixels
// (Lavin & Gray 2016, F(4×4, 3×3), points 0, ±1, ±2, ∞). The sum over channels makes 36 matrix products of a block of tiles; block and products
// stay in the second-level cache.
#include "isa.h"
#include "tiles.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

// One dimension of Bᵀ d: six values of a tile and its border.
EDMUND_INLINE void input_row(const Vec (&d)[6], Vec (&v)[6]) {
  const Vec even = d[4] - 4.0F * d[2], odd = d[3] - 4.0F * d[1];
  const Vec near = d[4] - d[2], far = 2.0F * (d[3] - d[1]);
  v[0] = 4.0F * d[0] - 5.0F * d[2] + d[4];
  v[1] = even + odd;
  v[2] = even - odd;
  v[3] = near + far;
  v[4] = near - far;
  v[5] = 4.0F * d[1] - 5.0F * d[3] + d[5];
}

// One dimension of Aᵀ m: six products to four pixels.
EDMUND_INLINE void output_row(const Vec (&m)[6], Vec (&y)[4]) {
  const Vec sum = m[1] + m[2], difference = m[1] - m[2], far_sum = m[3] + m[4], far_difference = m[3] - m[4];
  y[0] = m[0] + sum + far_sum;
  y[1] = difference + 2.0F * far_difference;
  y[2] = sum + 4.0F * far_sum;
  y[3] = difference + 8.0F * far_difference + m[5];
}

// One dimension of A y: four gradients of pixels to six.
EDMUND_INLINE void gradient_row(const Vec (&y)[4], Vec (&v)[6]) {
  const Vec even = y[0] + y[2], odd = y[1] + y[3], far_even = y[0] + 4.0F * y[2], far_odd = 2.0F * y[1] + 8.0F * y[3];
  v[0] = y[0];
  v[1] = even + odd;
  v[2] = even - odd;
  v[3] = far_even + far_odd;
  v[4] = far_even - far_odd;
  v[5] = y[3];
}

// One dimension of G g.
EDMUND_INLINE void weight_row(const Vec (&g)[3], Vec (&u)[6]) {
  const Vec sum = (g[0] + g[2]) * (1.0F / 6), far = g[0] * (1.0F / 24) + g[2] * (1.0F / 6);
  u[0] = g[0] * 0.25F;
  u[1] = -sum - g[1] * (1.0F / 6);
  u[2] = g[1] * (1.0F / 6) - sum;
  u[3] = far + g[1] * (1.0F / 12);
  u[4] = far - g[1] * (1.0F / 12);
  u[5] = g[2];
}

// One dimension of Gᵀ u.
EDMUND_INLINE void weight_gradient_row(const Vec (&u)[6], Vec (&g)[3]) {
  g[0] = u[0] * 0.25F - (u[1] + u[2]) * (1.0F / 6) + (u[3] + u[4]) * (1.0F / 24);
  g[1] = (u[2] - u[1]) * (1.0F / 6) + (u[3] - u[4]) * (1.0F / 12);
  g[2] = (u[3] + u[4] - u[1] - u[2]) * (1.0F / 6) + u[5];
}

// Bᵀ d B of one tile, kWidth channels. pixel(i, j) loads a vector.
template <typename Pixel>
EDMUND_INLINE void transform_input(const Pixel& pixel, float* v, long plane) {
  Vec half[6][6];
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j) {
    Vec d[6], column[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) d[i] = pixel(i, j);
    input_row(d, column);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) half[i][j] = column[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) {
    Vec out[6];
    input_row(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) store(v + (6 * i + j) * plane, out[j]);
  }
}

void output_tile(const Winograd& conv, const Tile& tile, const float* m, long plane, long n0, long n1) {
  const long rows = smaller(4, conv.H - tile.y), columns = smaller(4, conv.W - tile.x);
  const long pixel = conv.K, line = conv.W * conv.K;
  const long corner = ((tile.image * conv.H + tile.y) * conv.W + tile.x) * conv.K;
  const float* add = conv.add != nullptr ? conv.add + tile.image * conv.add_stride : nullptr;
  for (long k = n0; k < n1; k += kWidth, m += kWidth) {
    Vec half[4][6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
      Vec in[6], column[4];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) in[i] = load(m + (6 * i + j) * plane);
      output_row(in, column);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) half[i][j] = column[i];
    }
    const long n = conv.K - k;
    const Vec plus = add != nullptr ? load(add + k, n) : Vec{};
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      if (i >= rows) break;
      Vec out[4];
      output_row(half[i], out);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        if (j >= columns) break;
        const long at = corner + i * line + j * pixel + k;
        Vec y = out[j] * conv.scale + plus;
        if (conv.residual != nullptr) y += load(conv.residual + at, n) * conv.scale;
        store(conv.y + at, y, n);
      }
    }
  }
}

// Planes start one cache line apart modulo the page, so that 36 stores side by side do not meet in one cache set.
EDMUND_INLINE long padded_plane(long floats) { return (floats + 1023) / 1024 * 1024 + 16; }

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

}  // namespace

void winograd_input(const float* x, long H, long W, long C, long t0, long t1, float* v, long plane, long row) {
  const Tiling tiling(H, W);
  static const float zeros[kWidth] = {};
  for (long t = t0; t < t1; ++t, v += row) {
    const Tile tile = tiling.tile(t);
    const float* origin = x + ((tile.image * H + tile.y - 1) * W + tile.x - 1) * C;
    const bool inside = tile.y > 0 && tile.x > 0 && tile.y + 5 <= H && tile.x + 5 <= W;
    long c = 0;
    if (inside) {
      for (; c + kWidth <= C; c += kWidth)
        transform_input([&](int i, int j) { return load(origin + (i * W + j) * C + c); }, v + c, plane);
    } else {
      const float* at[6][6];
      for (long i = 0; i < 6; ++i)
        for (long j = 0; j < 6; ++j) {
          const long y = tile.y + i - 1, column = tile.x + j - 1;
          at[i][j] = y >= 0 && y < H && column >= 0 && column < W ? origin + (i * W + j) * C : nullptr;
        }
      for (; c + kWidth <= C; c += kWidth)
        transform_input([&](int i, int j) { return load(at[i][j] != nullptr ? at[i][j] + c : zeros); }, v + c, plane);
    }
    if (c < C)
      transform_input(
          [&](int i, int j) {
            const long y = tile.y + i - 1, column = tile.x + j - 1;
            const bool there = y >= 0 && y < H && column >= 0 && column < W;
            return there ? load(origin + (i * W + j) * C + c, C - c) : Vec{};
          },
          v + c, plane),
          c += kWidth;
    for (; c < row; c += kWidth)
      for (int p = 0; p < 36; ++p) store(v + p * plane + c, Vec{});
  }
}

void winograd_gradient(const float* dy, long H, long W, long K, long t0, long t1, float* v, long plane, long row) {
  const Tiling tiling(H, W);
  for (long t = t0; t < t1; ++t, v += row) {
    const Tile tile = tiling.tile(t);
    const float* origin = dy + ((tile.image * H + tile.y) * W + tile.x) * K;
    const long rows = smaller(4, H - tile.y), columns = smaller(4, W - tile.x);
    for (long k = 0; k < row; k += kWidth) {
      const long n = K - k;
      Vec half[6][4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        Vec in[4], column[6];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
          in[i] = n > 0 && i < rows && j < columns ? load(origin + (i * W + j) * K + k, n) : Vec{};
        gradient_row(in, column);
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) half[i][j] = column[i];
      }
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) {
        Vec out[6];
        gradient_row(half[i], out);
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) store(v + (6 * i + j) * plane + k, out[j]);
      }
    }
  }
}

void winograd_weights(const Weight3x3& weight, long first, long last, float* packed) {
  const long panels = (weight.K + kPanel - 1) / kPanel, plane = panels * weight.C * kPanel;
  // Taps of one input channel lie side by side; where those of the next follow them, several channels are turned at once.
  const long together = weight.c_stride == 9 ? kWidth : 1;
  for (long k = 0; k < panels * kPanel; k += kWidth) {
    float* panel = packed + k / kPanel * weight.C * kPanel + k % kPanel;
    const long lanes = smaller(kWidth, weight.K - k);
    for (long c0 = first; c0 < last; c0 += together) {
      const long taps = 9 * smaller(together, last - c0);
      const float* from = weight.w + k * weight.k_stride + c0 * weight.c_stride;
      Vec turned[9 * kWidth + kWidth];
      for (long i = 0; i < taps; i += kWidth)
        turned_lanes(from + i, weight.k_stride, lanes, smaller(kWidth, taps - i), turned + i);
      for (long n = 0; n < taps; n += 9) {
        const Vec* tap = turned + n;
        Vec half[6][3];
        for (int j = 0; j < 3; ++j) {
          const Vec in[3] = {tap[weight.rotated ? 8 - j : j], tap[weight.rotated ? 5 - j : 3 + j],
                             tap[weight.rotated ? 2 - j : 6 + j]};
          Vec column[6];
          weight_row(in, column);
          for (int i = 0; i < 6; ++i) half[i][j] = column[i];
        }
        for (int i = 0; i < 6; ++i) {
          Vec out[6];
          weight_row(half[i], out);
          for (int j = 0; j < 6; ++j) store(panel + (6 * i + j) * plane + (c0 + n / 9) * kPanel, out[j]);
        }
      }
    }
  }
}

void winograd_weight_gradient(const float* du, long plane, long row, long K, long C, long first, long last, float scale,
                              float* dw) {
  for (long c = first; c < last; ++c)
    for (long k = 0; k < K; k += kWidth) {
      const float* from = du + c * row + k;
      Vec half[3][6];
      for (int j = 0; j < 6; ++j) {
        Vec in[6], column[3];
        for (int i = 0; i < 6; ++i) in[i] = load(from + (6 * i + j) * plane);
        weight_gradient_row(in, column);
        for (int i = 0; i < 3; ++i) half[i][j] = column[i];
      }
      float g[9][kWidth];
      for (int i = 0; i < 3; ++i) {
        Vec out[3];
        weight_gradient_row(half[i], out);
        for (int j = 0; j < 3; ++j) store(g[3 * i + j], out[j] * scale);
      }
      const long lanes = smaller(kWidth, K - k);
      for (long lane = 0; lane < lanes; ++lane)
        for (int i = 0; i < 9; ++i) dw[((k + lane) * C + c) * 9 + i] = g[i][lane];
    }
}

long winograd_scratch(long tiles, long C, long K) {
  return 36 * (padded_plane(tiles * whole_panels(C)) + padded_plane(tiles * whole_panels(K)));
}

void winograd_tiles(const Winograd& conv, long t0, long t1, long n0, long n1, float* scratch) {
  const Tiling tiling(conv.H, conv.W);
  const long tiles = t1 - t0, row = whole_vectors(conv.C), plane = padded_plane(tiles * row);
  const long last = smaller(n1, conv.K), columns = whole_panels(last - n0);
  const long product = padded_plane(tiles * columns);
  const long all_panels = (conv.K + kPanel - 1) / kPanel;
  float *v = scratch, *m = scratch + 36 * plane;
  winograd_input(conv.x, conv.H, conv.W, conv.C, t0, t1, v, plane, row);
  for (long p = 0; p < 36; ++p)
    gemm_plane(v + p * plane, row, tiles, conv.C, conv.packed + (p * all_panels + n0 / kPanel) * conv.C * kPanel,
               last - n0, m + p * product, columns);
  for (long t = t0; t < t1; ++t) output_tile(conv, tiling.tile(t), m + (t - t0) * columns, product, n0, last);
}

}  // namespace edmund::ops::cpu::EDMUND_ISA
