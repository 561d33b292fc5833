#pragma once

// Sums of products of two blocks of rows with a panel of columns, 2·kBlockRows × kPanel of them, in
// the tile registers of a processor that has them (AMX).
#include "bf16_kernels.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

/// Of one thread; no two live at once.
class BlockSums {
 public:
  BlockSums();
  ~BlockSums();
  BlockSums(const BlockSums&) = delete;
  BlockSums& operator=(const BlockSums&) = delete;

  void clear();
  /// Rows first, first + row, … and second, second + row, …, `depth` pairs of each, times rows of
  /// kPanel pairs from b on.
  void add(const Pair* first, const Pair* second, long row, const Pair* b, long depth);
  /// [2·kBlockRows, kPanel].
  void store(float* to) const;

#if !defined(__AMX_BF16__)
 private:
  Vec sums_[2 * kBlockRows][2];
#endif
};

#if defined(__AMX_BF16__)

// Four tiles of 16 × 16 sums (0 to 3), two of rows (4, 5), two of columns (6, 7).
static_assert(kPanel == 32 && kBlockRows == 16 && kBlockDepth == 16);

EDMUND_INLINE BlockSums::BlockSums() {
  struct alignas(64) Configuration {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};  // of a row
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  static const Configuration configuration;
  _tile_loadconfig(&configuration);
  asm volatile("" ::: "memory");  // what is loaded later has been written
}
EDMUND_INLINE BlockSums::~BlockSums() { _tile_release(); }

EDMUND_INLINE void BlockSums::clear() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

EDMUND_INLINE void BlockSums::add(const Pair* first, const Pair* second, long row, const Pair* b, long depth) {
  const long a_bytes = 4 * row, b_bytes = 4 * kPanel;
  for (long d = 0; d < depth; d += kBlockDepth, b += kBlockDepth * kPanel) {
    _tile_loadd(4, first + d, a_bytes);
    _tile_loadd(6, b, b_bytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + 16, b_bytes);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, second + d, a_bytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
}

EDMUND_INLINE void BlockSums::store(float* to) const {
  const long bytes = 4 * kPanel;
  _tile_stored(0, to, bytes);
  _tile_stored(1, to + 16, bytes);
  _tile_stored(2, to + 16 * kPanel, bytes);
  _tile_stored(3, to + 16 * kPanel + 16, bytes);
}

#else

EDMUND_INLINE BlockSums::BlockSums() = default;
EDMUND_INLINE BlockSums::~BlockSums() = default;

EDMUND_INLINE void BlockSums::clear() {
  for (auto& row : sums_) row[0] = row[1] = Vec{};
}

EDMUND_INLINE void BlockSums::add(const Pair* first, const Pair* second, long row, const Pair* b, long depth) {
  for (long i = 0; i < 2 * kBlockRows; ++i) {
    const Pair* a = i < kBlockRows ? first + i * row : second + (i - kBlockRows) * row;
    for (long d = 0; d < depth; ++d)
      for (long j = 0; j < 2; ++j) add_product(sums_[i][j], a[d], load(b + d * kPanel + j * kWidth));
  }
}

EDMUND_INLINE void BlockSums::store(float* to) const {
  for (long i = 0; i < 2 * kBlockRows; ++i)
    for (long j = 0; j < 2; ++j) cpu::EDMUND_ISA::store(to + i * kPanel + j * kWidth, sums_[i][j]);
}

#endif

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
