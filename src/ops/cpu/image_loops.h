#pragma once

// Group normalization, SiLU and dropout of channels-last images, float32 or bfloat16 (Bf16),
// and sums over their pixels, each pass over memory doing all that it can.
#include "kernels.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

constexpr long kChunk = 64;  // pixels summed in float32 before they join other sums

EDMUND_INLINE void add_to(double* sums, Vec v, long n) {
  for (long i = 0; i < n; ++i) sums[i] += static_cast<double>(v[i]);
}

template <int N>
struct Vectors {};

// Calls f for the channels, four vectors at a time (memory is read in order then), then one, the
// last perhaps not full: (how many, first channel, numbers in each).
template <typename Call>
EDMUND_INLINE void by_vectors(long C, const Call& f) {
  long c = 0;
  for (; c + 4 * kWidth <= C; c += 4 * kWidth) f(Vectors<4>(), c, kWidth);
  for (; c < C; c += kWidth) f(Vectors<1>(), c, smaller(kWidth, C - c));
}

/// KernelTable::moments.
template <typename X>
void moments_of(const X* x, long pixels, long C, const X* shift, double* sum, double* squares) {
  for (long begin = 0; begin < pixels; begin += kChunk) {
    const long count = smaller(kChunk, pixels - begin);
    by_vectors(C, [&]<int N>(Vectors<N>, long c, long n) {
      Vec origin[N], s[N] = {}, q[N] = {};
#pragma GCC unroll 4
      for (int k = 0; k < N; ++k) origin[k] = load(shift + c + k * kWidth, n);
      const X* from = x + begin * C + c;
      for (long i = 0; i < count; ++i, from += C)
#pragma GCC unroll 4
        for (int k = 0; k < N; ++k) {
          const Vec d = load(from + k * kWidth, n) - origin[k];
          s[k] += d;
          q[k] += d * d;
        }
      for (int k = 0; k < N; ++k) {
        add_to(sum + c + k * kWidth, s[k], n);
        add_to(squares + c + k * kWidth, q[k], n);
      }
    });
  }
}

template <bool kSilu, bool kFactors, typename X, typename Y>
void apply(const X* x, Y* y, long pixels, long C, const Affine& f, const float* factors) {
  for (long i = 0; i < pixels; ++i, x += C, y += C, factors += kFactors ? C : 0)
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c;
      Vec z = load(x + c, n) * load(f.a + c, n) + load(f.b + c, n);
      if constexpr (kSilu) z = z / (1.0F + exponential(-z));
      if constexpr (kFactors) z *= load(factors + c, n);
      store(y + c, z, n);
    }
}

/// KernelTable::norm_apply.
template <typename X, typename Y>
void norm_apply_of(const X* x, Y* y, long pixels, long C, const Affine& f, const float* factors) {
  if (factors != nullptr) {
    f.silu ? apply<true, true>(x, y, pixels, C, f, factors) : apply<false, true>(x, y, pixels, C, f, factors);
  } else {
    f.silu ? apply<true, false>(x, y, pixels, C, f, factors) : apply<false, false>(x, y, pixels, C, f, factors);
  }
}

/// KernelTable::norm_backward.
template <typename X, typename D>
void norm_backward_of(const X* x, const D* dy, const AffineGradient& task) {
  const AffineGradient t = task;  // no pointer leads to it: it stays in registers
  for (long begin = 0; begin < t.pixels; begin += kChunk) {
    const long count = smaller(kChunk, t.pixels - begin);
    by_vectors(t.C, [&]<int N>(Vectors<N>, long c, long n) {
      Vec s[N] = {}, q[N] = {};
      for (long i = begin; i < begin + count; ++i)
#pragma GCC unroll 4
        for (int k = 0; k < N; ++k) {
          const long channel = c + k * kWidth, at = i * t.C + channel;
          const Vec in = load(x + at, n);
          Vec d = load(dy + at, n);
          if (t.factors != nullptr) d *= load(t.factors + at, n);
          if (t.affine.silu) {
            const Vec z = in * load(t.affine.a + channel, n) + load(t.affine.b + channel, n), g = sigmoid(z);
            d *= g + g * (z - z * g);
          }
          s[k] += d;
          q[k] += d * (in - load(t.mean + channel, n));
          store(t.dz + at, d, n);
        }
      for (int k = 0; k < N; ++k) {
        add_to(t.sums + c + k * kWidth, s[k], n);
        add_to(t.products + c + k * kWidth, q[k] * load(t.rstd + c + k * kWidth, n), n);
      }
    });
  }
}

/// KernelTable::norm_gradient; dx may be dz.
template <typename X>
void norm_gradient_of(const X* x, const float* dz, X* dx, long pixels, long C, const float* a, const float* p,
                      const float* q) {
  for (long i = 0; i < pixels; ++i, x += C, dz += C, dx += C)
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c;
      store(dx + c, load(dz + c, n) * load(a + c, n) + (load(x + c, n) * load(p + c, n) + load(q + c, n)), n);
    }
}

/// KernelTable::scaled_sums.
template <typename D>
void scaled_sums_of(const D* dy, long pixels, long C, float scale, D* scaled, float* sums) {
  for (long begin = 0; begin < pixels; begin += kChunk)
    for (long c = 0; c < C; c += kWidth) {
      const long n = smaller(kWidth, C - c), end = smaller(begin + kChunk, pixels);
      Vec sum{};
      for (long i = begin; i < end; ++i) {
        const Vec d = load(dy + i * C + c, n) * scale;
        sum += d;
        if (scaled != nullptr) store(scaled + i * C + c, d, n);
      }
      store(sums + c, load(sums + c, n) + sum, n);
    }
}

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
