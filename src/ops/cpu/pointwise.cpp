// Passes over channels-last images that do no more than a few operations for each number, and Adam
// over flat memory.
#include "isa.h"
#include "vector.h"

#include <type_traits>

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

// body(i, number) for numbers first … first + n - 1.
template <typename T, typename Body>
EDMUND_INLINE void each_of(T* x, long stride, long n, const Body& body) {
  if (stride == 1) {
#pragma GCC ivdep
    for (long i = 0; i < n; ++i) body(i, x[i]);
  } else {
    for (long i = 0; i < n; ++i) body(i, x[i * stride]);
  }
}
template <typename Body>
EDMUND_INLINE void each_number(const Numbers& numbers, long first, long n, const Body& body) {
  if (numbers.is_double)
    each_of(static_cast<double*>(numbers.x) + first * numbers.stride, numbers.stride, n, body);
  else
    each_of(static_cast<float*>(numbers.x) + first * numbers.stride, numbers.stride, n, body);
}

}  // namespace

void combine(const Scaled* terms, long count, long size, const Numbers& out) {
  constexpr long kBlock = 512;  // sums that stay in the first-level cache
  const bool in_place = out.is_double && out.stride == 1;
  double memory[kBlock];
  for (long begin = 0; begin < size; begin += kBlock) {
    const long n = smaller(kBlock, size - begin);
    double* __restrict sum = in_place ? static_cast<double*>(out.x) + begin : memory;
    for (long k = 0; k < count; ++k) {
      const double factor = terms[k].factor;
      each_number(terms[k].numbers, begin, n,
                  [&](long i, const auto& x) { sum[i] = factor * static_cast<double>(x) + (k == 0 ? 0.0 : sum[i]); });
    }
    if (!in_place)
      each_number(out, begin, n,
                  [&](long i, auto& x) { x = static_cast<std::remove_reference_t<decltype(x)>>(sum[i]); });
  }
}

void epilogue(float* y, long pixels, long C, const Epilogue& epilogue) {
  const float *add = epilogue.add, *residual = epilogue.residual;
  const float scale = epilogue.scale;
  for (long i = 0; i < pixels; ++i, y += C, residual += residual != nullptr ? C : 0)
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c;
      Vec out = load(y + c, n) * scale;
      if (add != nullptr) out += load(add + c, n);
      if (residual != nullptr) out += load(residual + c, n) * scale;
      store(y + c, out, n);
    }
}

void shrink(const float* top, const float* bottom, long width, long C, float factor, float* out) {
  for (long i = 0; i + 1 < width; i += 2, top += 2 * C, bottom += 2 * C, out += C)
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c;
      store(out + c,
            ((load(top + c, n) + load(top + C + c, n)) + (load(bottom + c, n) + load(bottom + C + c, n))) * factor, n);
    }
}

void grow(const float* row, long width, long C, float factor, float* top, float* bottom) {
  for (long i = 0; i < width; ++i, row += C, top += 2 * C, bottom += 2 * C)
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c;
      const Vec x = load(row + c, n) * factor;
      store(top + c, x, n);
      store(top + C + c, x, n);
      store(bottom + c, x, n);
      store(bottom + C + c, x, n);
    }
}

void max_pool(const float* const* rows, long width, long C, long stride, long padding, long out_width, float* out) {
  for (long j = 0; j < out_width; ++j, out += C) {
    const float* window[9];
    long count = 0;
    for (long r = 0; r < 3; ++r)
      for (long column = j * stride - padding; column < j * stride - padding + 3; ++column)
        if (rows[r] != nullptr && column >= 0 && column < width) window[count++] = rows[r] + column * C;
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c;
      Vec largest = load(window[0] + c, n);
      for (long i = 1; i < count; ++i) {
        const Vec x = load(window[i] + c, n);
        largest = x > largest ? x : largest;
        largest = x != x ? x : largest;
      }
      store(out + c, largest, n);
    }
  }
}

double sum_of_squares(const float* x, long size) {
  using Doubles = double __attribute__((vector_size(8 * kWidth)));
  constexpr long kVectors = 32 / kWidth;
  Doubles sums[kVectors] = {};
  double sum = 0.0;
  long i = 0;
  for (; i + 32 <= size; i += 32)
#pragma GCC unroll 8
    for (long n = 0; n < kVectors; ++n) {
      const Doubles wide = __builtin_convertvector(load(x + i + n * kWidth), Doubles);
      sums[n] += wide * wide;
    }
  for (; i < size; ++i) sum += static_cast<double>(x[i]) * x[i];
  for (const Doubles& lanes : sums)
    for (long lane = 0; lane < kWidth; ++lane) sum += lanes[lane];
  return sum;
}

namespace {

// e + r = β·(e + r) + rate·p, rate = 1 - β; r, what rounding leaves of e, may be null.
EDMUND_INLINE void average(const float* __restrict p, float* __restrict e, float* __restrict r, float rate, long n) {
  if (rate > 0.5F) {  // as seen from p, which it is at β = 0
    const float beta = 1.0F - rate;
#pragma GCC ivdep
    for (long i = 0; i < n; ++i) e[i] = p[i] + beta * (e[i] - p[i]);
    for (long i = 0; r != nullptr && i < n; ++i) r[i] = 0.0F;
  } else if (r == nullptr) {
#pragma GCC ivdep
    for (long i = 0; i < n; ++i) e[i] += rate * (p[i] - e[i]);
  } else {
#pragma GCC ivdep
    for (long i = 0; i < n; ++i) {
      // Knuth's sum of two numbers and its error.
      const float change = rate * ((p[i] - e[i]) - r[i]) + r[i], sum = e[i] + change, part = sum - e[i];
      r[i] = (e[i] - (sum - part)) + (change - part);
      e[i] = sum;
    }
  }
}

}  // namespace

void adam(const AdamChunk& chunk, const AdamTerms& terms) {
  float* __restrict p = chunk.p, * __restrict m = chunk.m, * __restrict v = chunk.v;
  const float* __restrict g = chunk.g;
  const AdamTerms t = terms;
  constexpr long kBlock = 1024;  // what the EMA copies read again is still in the first-level cache
  for (long begin = 0; begin < chunk.size; begin += kBlock) {
    const long end = smaller(begin + kBlock, chunk.size);
#pragma GCC ivdep
    for (long i = begin; i < end; ++i) {
      float d = g[i];
      if (t.zero_nonfinite) {
        d = d != d ? 0.0F : d;
        d = d > 3.402823466e38F ? 1e5F : d;
        d = d < -3.402823466e38F ? -1e5F : d;
      }
      d *= t.gradient_scale;
      m[i] += (d - m[i]) * t.one_minus_beta1;
      v[i] += (d * d - v[i]) * t.one_minus_beta2;
      const float denominator = __builtin_sqrtf(v[i]) * t.inverse_root_correction2 + t.eps;
      p[i] -= p[i] * t.decay + t.step_size * (m[i] / denominator);
    }
    for (long copy = 0; copy < chunk.copies; ++copy)
      average(p + begin, chunk.ema[copy] + begin,
              chunk.ema_rest[copy] == nullptr ? nullptr : chunk.ema_rest[copy] + begin, chunk.ema_rate[copy],
              end - begin);
  }
}

}  // namespace edmund::ops::cpu::EDMUND_ISA
