// Group normalization, SiLU and dropout of channels-last images, each pass over memory doing all that it can.
#include "isa.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

constexpr long kChunk = 64;  // pixels summed in float32 before they join a sum in double precision

EDMUND_INLINE void add_to(double* sums, Vec v, long n) {
  for (long i = 0; i < n; ++i) sums[i] += static_cast<double>(v[i]);
}

template <bool kSilu, bool kFactors>
void apply(const float* x, float* y, long pixels, long C, const Affine& f, const float* factors) {
  for (long i = 0; i < pixels; ++i, x += C, y += C, factors += kFactors ? C : 0)
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c;
      Vec z = load(x + c, n) * load(f.a + c, n) + load(f.b + c, n);
      if constexpr (kSilu) z = z / (1.0F + exponential(-z));
      if constexpr (kFactors) z *= load(factors + c, n);
      store(y + c, z, n);
    }
}

}  // namespace

void moments(const float* x, long pixels, long C, const float* shift, double* sum, double* squares) {
  for (long begin = 0; begin < pixels; begin += kChunk) {
    const long count = smaller(kChunk, pixels - begin);
    for (long c = 0; c < C; c += kWidth) {
      const long n = smaller(kWidth, C - c);
      const Vec origin = load(shift + c, n);
      Vec s[2] = {}, q[2] = {};
      const float* from = x + begin * C + c;
      for (long i = 0; i + 1 < count; i += 2, from += 2 * C) {
        const Vec d0 = load(from, n) - origin, d1 = load(from + C, n) - origin;
        s[0] += d0;
        s[1] += d1;
        q[0] += d0 * d0;
        q[1] += d1 * d1;
      }
      if (count % 2 != 0) {
        const Vec d = load(from, n) - origin;
        s[0] += d;
        q[0] += d * d;
      }
      add_to(sum + c, s[0] + s[1], n);
      add_to(squares + c, q[0] + q[1], n);
    }
  }
}

void norm_apply(const float* x, float* y, long pixels, long C, const Affine& f, const float* factors) {
  if (factors != nullptr) {
    f.silu ? apply<true, true>(x, y, pixels, C, f, factors) : apply<false, true>(x, y, pixels, C, f, factors);
  } else {
    f.silu ? apply<true, false>(x, y, pixels, C, f, factors) : apply<false, false>(x, y, pixels, C, f, factors);
  }
}

void norm_backward(const float* x, const float* dy, float* dz, long pixels, long C, const Affine& f,
                   const float* factors, const float* mean, const float* rstd, double* sums, double* products) {
  for (long begin = 0; begin < pixels; begin += kChunk) {
    const long count = smaller(kChunk, pixels - begin);
    for (long c = 0; c < C; c += kWidth) {
      const long n = smaller(kWidth, C - c);
      const Vec a = load(f.a + c, n), b = load(f.b + c, n), center = load(mean + c, n), inverse = load(rstd + c, n);
      Vec s{}, q{};
      for (long i = begin; i < begin + count; ++i) {
        const long at = i * C + c;
        const Vec in = load(x + at, n);
        Vec d = load(dy + at, n);
        if (factors != nullptr) d *= load(factors + at, n);
        if (f.silu) {
          const Vec z = in * a + b, g = sigmoid(z);
          d *= g + g * (z - z * g);
        }
        s += d;
        q += d * (in - center);
        store(dz + at, d, n);
      }
      add_to(sums + c, s, n);
      add_to(products + c, q * inverse, n);
    }
  }
}

void norm_gradient(const float* x, float* dz, long pixels, long C, const float* a, const float* p, const float* q) {
  for (long i = 0; i < pixels; ++i, x += C, dz += C)
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c;
      store(dz + c, load(dz + c, n) * load(a + c, n) + (load(x + c, n) * load(p + c, n) + load(q + c, n)), n);
    }
}

}  // namespace edmund::ops::cpu::EDMUND_ISA
