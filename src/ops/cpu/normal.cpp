// Normal numbers from random words by Box and Muller's method (1958), in double precision.
// Logarithm, sine and cosine are the polynomials of fdlibm (Sun Microsystems 1993) without its
// branches, each within 1 unit in the last place or little more on the ranges that occur.
#include "isa.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

constexpr long kLanes = kWidth / 2;
using Double = double __attribute__((vector_size(4 * kWidth)));
using Long = std::int64_t __attribute__((vector_size(4 * kWidth)));
using Word = std::uint64_t __attribute__((vector_size(4 * kWidth)));

constexpr double kWhole =
    // 1.5·2^52: added to a small number, it rounds that to a whole one, which its lowest bits then
    // hold
    6755399441055744.0;

EDMUND_INLINE Double whole(Double x) { return (x + kWhole) - kWhole; }
EDMUND_INLINE Long bits_of(Double x) { return (Long)(x + kWhole) - (Long)(Double{} + kWhole); }
EDMUND_INLINE Double choose(Long condition, Double a, Double b) {
  return (Double)(((Long)a & condition) | ((Long)b & ~condition));
}

// (word + ½)·2^-32, in (0, 1); the word in the low half of each lane.
EDMUND_INLINE Double unit(Word word) {
  return ((Double)(word | 0x4330000000000000ULL) - 4503599627370496.0 + 0.5) * 0x1p-32;
}

// ln x, x > 0 and normal: x = 2^k·(1 + f) with 1 + f in [√½, √2).
EDMUND_INLINE Double logarithm(Double x) {
  const Long bits = (Long)x;
  Long k = (bits >> 52) - 1023;
  Double m = (Double)((bits & 0x000FFFFFFFFFFFFFLL) | 0x3FF0000000000000LL);
  const Long high = m > 1.4142135623730951;
  m = choose(high, m * 0.5, m);
  k -= high;  // true is -1
  const Double exponent = (Double)(k + (Long)(Double{} + kWhole)) - kWhole;
  const Double f = m - 1.0, s = f / (m + 1.0), z = s * s, w = z * z;
  const Double odd = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332));
  const Double even = z * (0.6666666666666735130 +
                           w * (0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591)));
  const Double half = 0.5 * f * f;
  return exponent * 6.93147180369123816490e-01 -
         ((half - (s * (half + (odd + even)) + exponent * 1.90821492927058770002e-10)) - f);
}

// sin and cos of 2πu.
EDMUND_INLINE void sine_cosine(Double u, Double& sine, Double& cosine) {
  const Double quarters = 4.0 * u, nearest = whole(quarters);
  const Long quadrant = bits_of(quarters);
  const Double x = (quarters - nearest) * 1.5707963267948966, z = x * x;
  const Double s = x + x * z *
                           (-1.66666666666666324348e-01 +
                            z * (8.33333333332248946124e-03 +
                                 z * (-1.98412698298579493134e-04 +
                                      z * (2.75573137070700676789e-06 +
                                           z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
  const Double c =
      (1.0 - 0.5 * z) + z * z *
                            (4.16666666666666019037e-02 +
                             z * (-1.38888888888741095749e-03 +
                                  z * (2.48015872894767294178e-05 +
                                       z * (-2.75573143513906633035e-07 +
                                            z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
  const Long odd = (quadrant & 1) != 0;
  const Double of_sine = choose(odd, c, s), of_cosine = choose(odd, s, c);
  sine = choose((quadrant & 2) != 0, -of_sine, of_sine);
  cosine = choose(((quadrant + 1) & 2) != 0, -of_cosine, of_cosine);
}

EDMUND_INLINE void some_pairs(const std::uint32_t* words, double* out) {
  Word pairs;  // little-endian: the first word of a pair is the low half
  __builtin_memcpy(&pairs, words, sizeof pairs);
  Double sine, cosine, radius = -2.0 * logarithm(unit(pairs & 0xFFFFFFFFULL));
  sine_cosine(unit(pairs >> 32), sine, cosine);
  for (long i = 0; i < kLanes; ++i) radius[i] = __builtin_sqrt(radius[i]);
  const Double a = radius * cosine, b = radius * sine;
  for (long i = 0; i < kLanes; ++i) {
    out[2 * i] = a[i];
    out[2 * i + 1] = b[i];
  }
}

}  // namespace

void normal(const std::uint32_t* words, long count, double* out) {
  long i = 0;
  for (; i + kWidth <= count; i += kWidth) some_pairs(words + i, out + i);
  if (i == count) return;
  std::uint32_t last[kWidth] = {};
  double values[kWidth];
  for (long j = i; j < count; ++j) last[j - i] = words[j];
  some_pairs(last, values);
  for (long j = i; j < count; ++j) out[j] = values[j - i];
}

}  // namespace edmund::ops::cpu::EDMUND_ISA
