#pragma once

// Vectors of float32 of the width that the instruction set has. Only for files that are compiled
// once for each instruction set (EDMUND_ISA): everything is inline and local to the file, and no
// header with inline functions of others is included, since the linker would be free to use an
// AVX-512 copy of those everywhere.
#include <cstdint>

#if defined(__AVX512F__) || defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#endif

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

#if defined(__AVX512F__)
constexpr long kWidth = 16;
constexpr int kRows = 12;  // rows of a matrix product that stay in registers, beside kPanel columns
#elif defined(__AVX2__)
constexpr long kWidth = 8;
constexpr int kRows = 6;
#else
constexpr long kWidth = 4;
constexpr int kRows = 6;
#endif
constexpr long kPanel = 2 * kWidth;

using Vec = float __attribute__((vector_size(4 * kWidth)));
using Bits = std::uint32_t __attribute__((vector_size(4 * kWidth)));
using LooseBits = std::uint32_t __attribute__((vector_size(4 * kWidth), aligned(4), may_alias));
using LooseVec = float __attribute__((vector_size(4 * kWidth), aligned(4), may_alias));

#define EDMUND_INLINE inline __attribute__((always_inline))

EDMUND_INLINE Vec load(const float* from) { return *reinterpret_cast<const LooseVec*>(from); }
EDMUND_INLINE Bits load(const std::uint32_t* from) { return *reinterpret_cast<const LooseBits*>(from); }
EDMUND_INLINE void store(float* to, Vec v) { *reinterpret_cast<LooseVec*>(to) = v; }
EDMUND_INLINE void store(std::uint32_t* to, Bits v) { *reinterpret_cast<LooseBits*>(to) = v; }
EDMUND_INLINE Vec splat(float x) { return x - Vec{}; }

/// The first n of a vector (all if n >= kWidth), zeros after them.
EDMUND_INLINE Vec load(const float* from, long n) {
  if (n >= kWidth) return load(from);
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1), from);
#else
  Vec v{};
  for (long i = 0; i < n; ++i) v[i] = from[i];
  return v;
#endif
}

EDMUND_INLINE void store(float* to, Vec v, long n) {
  if (n >= kWidth) return store(to, v);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << n) - 1), (__m512)v);
#else
  for (long i = 0; i < n; ++i) to[i] = v[i];
#endif
}

/// Of bfloat16 numbers the first n, zeros after them; in the lower half of each lane.
EDMUND_INLINE Bits load_halves(const std::uint16_t* from, long n) {
#if defined(__AVX512F__)
  const __m256i halves = n >= kWidth ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))
                                     : _mm256_maskz_loadu_epi16(static_cast<__mmask16>((1U << n) - 1), from);
  return (Bits)_mm512_maskz_cvtepu16_epi32(0xFFFF, halves);  // without a mask g++ warns
#else
  Bits bits{};
  for (long i = 0; i < kWidth && i < n; ++i) bits[i] = from[i];
  return bits;
#endif
}
EDMUND_INLINE Vec load(const std::uint16_t* from, long n) { return (Vec)(load_halves(from, n) << 16); }
EDMUND_INLINE Vec load(const std::uint16_t* from) { return load(from, kWidth); }

/// sum += x · column.
EDMUND_INLINE void add_product(Vec& sum, float x, Vec column) { sum += x * column; }

/// Each number rounded to bfloat16, to the nearest, ties to even, in the lower half of its lane.
EDMUND_INLINE Bits bf16_bits(Vec x) {
#if defined(__AVX512BF16__)
  return (Bits)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)x));
#else
  const Bits bits = (Bits)x, rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
  return x == x ? rounded : (bits >> 16 | 0x40U);  // NaN stays NaN
#endif
}

/// The first n as bfloat16.
EDMUND_INLINE void store(std::uint16_t* to, Vec x, long n) {
#if defined(__AVX512BF16__)
  const __m256i halves = (__m256i)_mm512_cvtneps_pbh((__m512)x);
  if (n >= kWidth) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), halves);
  _mm256_mask_storeu_epi16(to, static_cast<__mmask16>((1U << n) - 1), halves);
#else
  const Bits halves = bf16_bits(x);
  for (long i = 0; i < kWidth && i < n; ++i) to[i] = static_cast<std::uint16_t>(halves[i]);
#endif
}

/// kWidth numbers as bfloat16, one beside the other.
EDMUND_INLINE void store_halves(std::uint32_t* to, Vec x) {
#if defined(__AVX512BF16__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh((__m512)x));
#else
  const Bits halves = bf16_bits(x);
  for (long i = 0; i < kWidth / 2; ++i) to[i] = halves[2 * i] | halves[2 * i + 1] << 16;
#endif
}

/// The products of both halves of x and of each lane.
EDMUND_INLINE void add_product(Vec& sum, std::uint32_t x, Bits column) {
#if defined(__AVX512BF16__)
  sum = (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32(static_cast<int>(x)), (__m512bh)column);
#else
  const Bits both = x - Bits{};
  sum += (Vec)(both << 16) * (Vec)(column << 16);
  sum += (Vec)(both & 0xFFFF0000U) * (Vec)(column & 0xFFFF0000U);
#endif
}

EDMUND_INLINE long smaller(long a, long b) { return a < b ? a : b; }
/// n rounded up to whole vectors, and to whole panels of a packed matrix.
EDMUND_INLINE long whole_vectors(long n) { return (n + kWidth - 1) / kWidth * kWidth; }
EDMUND_INLINE long whole_panels(long n) { return (n + kPanel - 1) / kPanel * kPanel; }

/// e^x within 2 units in the last place; x beyond ±87 as ±87.
EDMUND_INLINE Vec exponential(Vec x) {
  x = x < -87.0F ? splat(-87.0F) : x;
  x = x > 87.0F ? splat(87.0F) : x;
  // x = n·ln 2 + r, |r| <= ln(2)/2; adding 1.5·2^23 rounds to the integer n and leaves it in the
  // lowest bits.
  const float magic = 12582912.0F;
  const Vec shifted = x * 1.44269504F + magic, n = shifted - magic;
  const Vec r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  Vec p = splat(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  return (Vec)((Bits)p + ((Bits)shifted << 23));
}

EDMUND_INLINE Vec sigmoid(Vec x) { return 1.0F / (1.0F + exponential(-x)); }

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
