// Philox4x32-10 (Salmon et al. 2011) of kWidth counters side by side: the words of philox() in
// core/philox.h.
#include "isa.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

struct Words {
  Bits w[4];
};

// Low and high halves of the 64-bit products of all lanes with m.
EDMUND_INLINE void multiply(Bits a, std::uint32_t m, Bits& low, Bits& high) {
#if defined(__AVX512F__)
  const __m512i x = (__m512i)a, y = _mm512_set1_epi32(static_cast<int>(m));
  const __m512i even = _mm512_mul_epu32(x, y), odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), y);
  high = (Bits)_mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
  low = (Bits)_mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
#elif defined(__AVX2__)
  const __m256i x = (__m256i)a, y = _mm256_set1_epi32(static_cast<int>(m));
  const __m256i even = _mm256_mul_epu32(x, y), odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), y);
  high = (Bits)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
  low = (Bits)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
#else
  for (long i = 0; i < kWidth; ++i) {
    const std::uint64_t product = std::uint64_t{a[i]} * m;
    low[i] = static_cast<std::uint32_t>(product);
    high[i] = static_cast<std::uint32_t>(product >> 32);
  }
#endif
}

EDMUND_INLINE Bits same(std::uint32_t x) { return Bits{} + x; }

EDMUND_INLINE Words words(const PhiloxKey& at, Bits block) {
  Bits c0 = block, c1 = same(at.counter[0]), c2 = same(at.counter[1]), c3 = same(at.counter[2]);
  std::uint32_t k0 = at.key[0], k1 = at.key[1];
  for (int round = 0; round < kPhiloxRounds; ++round, k0 += kPhiloxWeyl0, k1 += kPhiloxWeyl1) {
    Bits low0, high0, low1, high1;
    multiply(c0, kPhiloxMultiplier0, low0, high0);
    multiply(c2, kPhiloxMultiplier1, low1, high1);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
  }
  return {{c0, c1, c2, c3}};
}

EDMUND_INLINE Bits count_from(std::uint32_t first, std::uint32_t step) {
  Bits lanes{};
  for (long i = 0; i < kWidth; ++i) lanes[i] = first + static_cast<std::uint32_t>(i) * step;
  return lanes;
}

EDMUND_INLINE Vec factors_of(Bits word, const DropoutBits& bits) {
  return word >= same(bits.limit) ? splat(bits.kept) : Vec{};
}

// Four neighboring pixels of one channel are the four words of one block, so that lanes are
// channels.
void factors_by_four(const DropoutBits& bits, long image_pixels, long C, const Range& pixels, float* factors) {
  const auto blocks = static_cast<std::uint32_t>(image_pixels / 4);
  for (long c = 0; c < C; c += kWidth) {
    const Bits channel = count_from(static_cast<std::uint32_t>(c) * blocks, blocks);
    for (long i = pixels.first; i < pixels.last; i += 4) {
      const Words drawn = words(bits.key, channel + static_cast<std::uint32_t>(i / 4));
      for (long j = 0; j < 4 && i + j < pixels.last; ++j)
        store(factors + (i + j - pixels.first) * C + c, factors_of(drawn.w[j], bits), C - c);
    }
  }
}

}  // namespace

void philox(const PhiloxKey& key, std::uint32_t first, long blocks, std::uint32_t* out) {
  for (long at = 0; at < blocks; at += kWidth, first += static_cast<std::uint32_t>(kWidth)) {
    const Words drawn = words(key, count_from(first, 1));
    const long lanes = smaller(kWidth, blocks - at);
    for (long i = 0; i < lanes; ++i, out += 4)
      for (int j = 0; j < 4; ++j) out[j] = drawn.w[j][i];
  }
}

void dropout_factors(const DropoutBits& bits, long image_pixels, long C, const Range& pixels, float* factors) {
  if (image_pixels % 4 == 0 && pixels.first % 4 == 0) return factors_by_four(bits, image_pixels, C, pixels, factors);
  std::uint32_t run[16 * 4];
  for (long c = 0; c < C; ++c) {
    const long begin = c * image_pixels + pixels.first, end = c * image_pixels + pixels.last;
    for (long block = begin / 4; block * 4 < end; block += 16) {
      philox(bits.key, static_cast<std::uint32_t>(block), 16, run);
      const long stop = smaller(end, block * 4 + 64);
      for (long n = begin > block * 4 ? begin : block * 4; n < stop; ++n)
        factors[(n - begin) * C + c] = run[n - block * 4] >= bits.limit ? bits.kept : 0.0F;
    }
  }
}

}  // namespace edmund::ops::cpu::EDMUND_ISA
