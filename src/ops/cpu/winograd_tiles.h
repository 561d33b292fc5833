#pragma once

// The Winograd algorithms in one dimension, F(kOut, kTaps) with kPoints = kOut + kTaps - 1
// products, and how one or two of them make those of an image.
#include "kernels.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

/// Points 0, ±3/4, ±3/2, ∞. Rounding leaves half the error of 0, ±1, ±2, ∞: powers of the points,
/// which the outputs are summed with, differ less. Everything but the divisors is exact in float32.
struct SixPoints {
  // exact
  static constexpr float a = 0.75F, b = 1.5F, a2 = a * a, b2 = b * b, a3 = a2 * a, b3 = b2 * b;
  // Rows of G: powers of the point, divided by its differences to the others.
  static constexpr double near_scale = 1 / (2.0 * a2 * (a2 - b2)), far_scale = 1 / (2.0 * b2 * (b2 - a2));
  static constexpr float kOrigin = 1 / (a2 * b2);
  static constexpr float kNear[5] = {near_scale, a* near_scale, a2* near_scale, a3* near_scale, a2* a2* near_scale};
  static constexpr float kFar[5] = {far_scale, b* far_scale, b2* far_scale, b3* far_scale, b2* b2* far_scale};

  // Bᵀ d
  static EDMUND_INLINE void input(const Vec (&d)[6], Vec (&v)[6]) {
    const Vec even = d[4] - b2 * d[2], odd = a * d[3] - (a * b2) * d[1];
    const Vec far_even = d[4] - a2 * d[2], far_odd = b * d[3] - (b * a2) * d[1];
    v[0] = (a2 * b2) * d[0] - (a2 + b2) * d[2] + d[4];
    v[1] = even + odd;
    v[2] = even - odd;
    v[3] = far_even + far_odd;
    v[4] = far_even - far_odd;
    v[5] = (a2 * b2) * d[1] - (a2 + b2) * d[3] + d[5];
  }
};

struct F4x3 : SixPoints {
  static constexpr int kPoints = 6, kOut = 4, kTaps = 3;

  // Aᵀ m
  static EDMUND_INLINE void output(const Vec (&m)[6], Vec (&y)[4]) {
    const Vec sum = m[1] + m[2], difference = m[1] - m[2], far_sum = m[3] + m[4], far_difference = m[3] - m[4];
    y[0] = m[0] + sum + far_sum;
    y[1] = a * difference + b * far_difference;
    y[2] = a2 * sum + b2 * far_sum;
    y[3] = a3 * difference + b3 * far_difference + m[5];
  }
  // G g
  static EDMUND_INLINE void weight(const Vec (&g)[3], Vec (&u)[6]) {
    const Vec even = g[0] * kNear[0] + g[2] * kNear[2], odd = g[1] * kNear[1];
    const Vec far_even = g[0] * kFar[0] + g[2] * kFar[2], far_odd = g[1] * kFar[1];
    u[0] = g[0] * kOrigin;
    u[1] = even + odd;
    u[2] = even - odd;
    u[3] = far_even + far_odd;
    u[4] = far_even - far_odd;
    u[5] = g[2];
  }
  // A y
  static EDMUND_INLINE void gradient(const Vec (&y)[4], Vec (&v)[6]) {
    const Vec even = y[0] + a2 * y[2], odd = a * y[1] + a3 * y[3];
    const Vec far_even = y[0] + b2 * y[2], far_odd = b * y[1] + b3 * y[3];
    v[0] = y[0];
    v[1] = even + odd;
    v[2] = even - odd;
    v[3] = far_even + far_odd;
    v[4] = far_even - far_odd;
    v[5] = y[3];
  }
  // Gᵀ u
  static EDMUND_INLINE void weight_gradient(const Vec (&u)[6], Vec (&g)[3]) {
    const Vec sum = u[1] + u[2], far_sum = u[3] + u[4];
    g[0] = u[0] * kOrigin + sum * kNear[0] + far_sum * kFar[0];
    g[1] = (u[1] - u[2]) * kNear[1] + (u[3] - u[4]) * kFar[1];
    g[2] = sum * kNear[2] + far_sum * kFar[2] + u[5];
  }
};

struct F2x5 : SixPoints {
  static constexpr int kPoints = 6, kOut = 2, kTaps = 5;

  static EDMUND_INLINE void output(const Vec (&m)[6], Vec (&y)[2]) {
    y[0] = m[0] + (m[1] + m[2]) + (m[3] + m[4]);
    y[1] = a * (m[1] - m[2]) + b * (m[3] - m[4]) + m[5];
  }
  static EDMUND_INLINE void weight(const Vec (&g)[5], Vec (&u)[6]) {
    const Vec even = g[0] * kNear[0] + g[2] * kNear[2] + g[4] * kNear[4];
    const Vec odd = g[1] * kNear[1] + g[3] * kNear[3];
    const Vec far_even = g[0] * kFar[0] + g[2] * kFar[2] + g[4] * kFar[4];
    const Vec far_odd = g[1] * kFar[1] + g[3] * kFar[3];
    u[0] = g[0] * kOrigin;
    u[1] = even + odd;
    u[2] = even - odd;
    u[3] = far_even + far_odd;
    u[4] = far_even - far_odd;
    u[5] = g[4];
  }
};

/// Matrices of F(M, R) for any points (Toom and Cook's interpolation, transposed): Aᵀ evaluates at
/// the points, G does so divided by Π (a_j - a_k), row j of Bᵀ are the coefficients of Π (x - a_k),
/// k ≠ j. Rows of G and Bᵀ are balanced by powers of two.
template <int M, int R>
struct ToomCook {
  static constexpr int N = M + R - 1;
  float at[M][N] = {}, g[N][R] = {}, bt[N][N] = {};

  constexpr explicit ToomCook(const double (&points)[N - 1]) {
    for (int j = 0; j < N; ++j) {  // j = N - 1: the point at infinity
      double polynomial[N + 1] = {1.0}, divisor = 1.0;
      for (int k = 0, degree = 0; k < N - 1; ++k) {
        if (k == j) continue;
        for (int i = ++degree; i >= 0; --i)
          polynomial[i] = (i > 0 ? polynomial[i - 1] : 0.0) - points[k] * polynomial[i];
        if (j < N - 1) divisor *= points[j] - points[k];
      }
      double largest_b = 0.0, largest_g = 0.0, rows[R] = {}, power = 1.0;
      for (int i = 0; i < N; ++i) largest_b = larger(largest_b, polynomial[i]);
      for (int i = 0; i < R; ++i, power *= j < N - 1 ? points[j] : 0.0) {
        rows[i] = j < N - 1 ? power / divisor : (i == R - 1 ? 1.0 : 0.0);
        largest_g = larger(largest_g, rows[i]);
      }
      double scale = 1.0;
      while (largest_g * scale * scale * 2 < largest_b) scale *= 2;
      while (largest_g * scale * scale > largest_b * 2) scale /= 2;
      for (int i = 0; i < R; ++i) g[j][i] = static_cast<float>(rows[i] * scale);
      for (int i = 0; i < N; ++i) bt[j][i] = static_cast<float>(polynomial[i] / scale);
      power = 1.0;
      for (int i = 0; i < M; ++i, power *= j < N - 1 ? points[j] : 0.0)
        at[i][j] = static_cast<float>(j < N - 1 ? power : (i == M - 1 ? 1.0 : 0.0));
    }
  }

 private:
  static constexpr double larger(double a, double b) { return (b < 0 ? -b : b) > a ? (b < 0 ? -b : b) : a; }
};

/// Points chosen among small fractions by the least error on random data: 1.5e-6 of the result's
/// root mean square for 192 channels.
struct F4x7 {
  static constexpr int kPoints = 10, kOut = 4, kTaps = 7;
  static constexpr ToomCook<4, 7> kMatrices{{0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 4.0, -0.25}};

  template <int Rows, int Columns>
  static EDMUND_INLINE void multiply(const float (&matrix)[Rows][Columns], const Vec (&x)[Columns], Vec (&y)[Rows]) {
#pragma GCC unroll 10
    for (int i = 0; i < Rows; ++i) {
      y[i] = Vec{};
#pragma GCC unroll 10
      for (int j = 0; j < Columns; ++j)
        if (matrix[i][j] != 0.0F) y[i] += matrix[i][j] * x[j];
    }
  }
  static EDMUND_INLINE void input(const Vec (&d)[10], Vec (&v)[10]) { multiply(kMatrices.bt, d, v); }
  static EDMUND_INLINE void output(const Vec (&m)[10], Vec (&y)[4]) { multiply(kMatrices.at, m, y); }
  static EDMUND_INLINE void weight(const Vec (&g)[7], Vec (&u)[10]) { multiply(kMatrices.g, g, u); }
};

/// A transform of In numbers to Out on both dimensions of a square: load(i, j) gives, put(i, j, v)
/// takes.
template <int In, int Out, typename Transform, typename Load, typename Put>
EDMUND_INLINE void on_square(const Transform& transform, const Load& load_at, const Put& put) {
  Vec half[Out][In];
#pragma GCC unroll 6
  for (int j = 0; j < In; ++j) {
    Vec in[In], column[Out];
#pragma GCC unroll 6
    for (int i = 0; i < In; ++i) in[i] = load_at(i, j);
    transform(in, column);
#pragma GCC unroll 6
    for (int i = 0; i < Out; ++i) half[i][j] = column[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < Out; ++i) {
    Vec out[Out];
    transform(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < Out; ++j) put(i, j, out[j]);
  }
}

/// F ⊗ F on squares of pixels.
template <typename F>
struct Square {
  static constexpr int kPoints = F::kPoints * F::kPoints, kHeight = F::kOut, kWidthOut = F::kOut;
  static constexpr int kRowsIn = F::kPoints, kColumnsIn = F::kPoints, kTaps = F::kTaps * F::kTaps;

  // pixel(i, j) loads, put(p, v) stores.
  template <typename Pixel, typename Put>
  static EDMUND_INLINE void input(const Pixel& pixel, const Put& put) {
    constexpr int N = F::kPoints;
    on_square<N, N>(
        [](const Vec(&d)[N], Vec(&v)[N]) __attribute__((always_inline)) { F::input(d, v); },
        pixel, [&](int i, int j, Vec v) __attribute__((always_inline)) { put(N * i + j, v); });
  }
  // product(p) loads, put(i, j, y) stores.
  template <typename Product, typename Put>
  static EDMUND_INLINE void output(const Product& product, const Put& put) {
    constexpr int N = F::kPoints, M = F::kOut;
    on_square<N, M>(
        [](const Vec(&m)[N], Vec(&y)[M]) __attribute__((always_inline)) { F::output(m, y); },
        [&](int i, int j) __attribute__((always_inline)) { return product(N * i + j); }, put);
  }
  // tap(i) gives, put(p, u) stores.
  template <typename Tap, typename Put>
  static EDMUND_INLINE void weight(const Tap& tap, const Put& put) {
    constexpr int N = F::kPoints, R = F::kTaps;
    on_square<R, N>(
        [](const Vec(&g)[R], Vec(&u)[N]) __attribute__((always_inline)) { F::weight(g, u); },
        [&](int i, int j) __attribute__((always_inline)) { return tap(R * i + j); },
        [&](int i, int j, Vec u) __attribute__((always_inline)) { put(N * i + j, u); });
  }
};

/// F along the rows of an image, or down its columns.
template <typename F, bool kDown>
struct Line {
  static constexpr int kPoints = F::kPoints, kHeight = kDown ? F::kOut : 1, kWidthOut = kDown ? 1 : F::kOut;
  static constexpr int kRowsIn = kDown ? F::kPoints : 1, kColumnsIn = kDown ? 1 : F::kPoints, kTaps = F::kTaps;

  template <typename Pixel, typename Put>
  static EDMUND_INLINE void input(const Pixel& pixel, const Put& put) {
    Vec d[kPoints], v[kPoints];
#pragma GCC unroll 10
    for (int i = 0; i < kPoints; ++i) d[i] = kDown ? pixel(i, 0) : pixel(0, i);
    F::input(d, v);
#pragma GCC unroll 10
    for (int i = 0; i < kPoints; ++i) put(i, v[i]);
  }
  template <typename Product, typename Put>
  static EDMUND_INLINE void output(const Product& product, const Put& put) {
    Vec m[kPoints], y[F::kOut];
#pragma GCC unroll 10
    for (int i = 0; i < kPoints; ++i) m[i] = product(i);
    F::output(m, y);
#pragma GCC unroll 4
    for (int i = 0; i < F::kOut; ++i) kDown ? put(i, 0, y[i]) : put(0, i, y[i]);
  }
  template <typename Tap, typename Put>
  static EDMUND_INLINE void weight(const Tap& tap, const Put& put) {
    Vec g[kTaps], u[kPoints];
#pragma GCC unroll 7
    for (int i = 0; i < kTaps; ++i) g[i] = tap(i);
    F::weight(g, u);
#pragma GCC unroll 10
    for (int i = 0; i < kPoints; ++i) put(i, u[i]);
  }
};

/// Calls f with an object of the tile's algorithm.
template <typename Call>
EDMUND_INLINE void with_tile(WinogradTile kind, const Call& f) {
  switch (kind) {
    case WinogradTile::k3x3: return f(Square<F4x3>());
    case WinogradTile::k5x5: return f(Square<F2x5>());
    case WinogradTile::k1x3: return f(Line<F4x3, false>());
    case WinogradTile::k3x1: return f(Line<F4x3, true>());
    case WinogradTile::k1x7: return f(Line<F4x7, false>());
    case WinogradTile::k7x1: return f(Line<F4x7, true>());
  }
}

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
