#pragma once

// What attention does beside its products.
#include "kernels.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

/// q, k or v (part 0, 1, 2) as rows [L, width], zeros from d on.
EDMUND_INLINE void copy_part(const Attention& t, int part, long width, float* to) {
  for (long i = 0; i < t.L; ++i, to += width) {
    const float* from = t.qkv + i * t.row + part;
    for (long c = 0; c < t.d; ++c) to[c] = from[3 * c];
    for (long c = t.d; c < width; ++c) to[c] = 0.0F;
  }
}

/// Of a row, n > 0.
EDMUND_INLINE float largest(const float* row, long n) {
  Vec high = splat(row[0]);
  long j = 0;
  for (; j + kWidth <= n; j += kWidth) {
    const Vec x = load(row + j);
    high = x > high ? x : high;
  }
  float out = row[0];
  for (long lane = 0; lane < kWidth; ++lane) out = high[lane] > out ? high[lane] : out;
  for (; j < n; ++j) out = row[j] > out ? row[j] : out;
  return out;
}

/// row = exp(row·scale - shift); their sum.
EDMUND_INLINE float exponentials(float* row, long n, float scale, float shift) {
  Vec sum{};
  long j = 0;
  for (; j + kWidth <= n; j += kWidth) {
    const Vec e = exponential(load(row + j) * scale - shift);
    store(row + j, e);
    sum += e;
  }
  float out = 0.0F;
  if (j < n) {
    const Vec e = exponential(load(row + j, n - j) * scale - shift);
    store(row + j, e, n - j);
    for (long lane = 0; lane < n - j; ++lane) out += e[lane];
  }
  for (long lane = 0; lane < kWidth; ++lane) out += sum[lane];
  return out;
}

EDMUND_INLINE float dot(const float* a, const float* b, long n) {
  Vec sum{};
  for (long c = 0; c < n; c += kWidth) sum += load(a + c, n - c) * load(b + c, n - c);
  float out = 0.0F;
  for (long lane = 0; lane < kWidth; ++lane) out += sum[lane];
  return out;
}

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
