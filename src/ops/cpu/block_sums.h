#pragma once

// Sums of products of a block of rows with a panel of columns, kBlockRows × kPanel of them, in the
// tile registers of a processor that has them (AMX).
#include "bf16_kernels.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

/// Of one thread; no two live at once.
class BlockSums {
 public:
#if defined(__AMX_BF16__)
  BlockSums();
  ~BlockSums();
#else
  BlockSums() = default;
  ~BlockSums() = default;
#endif
  BlockSums(const BlockSums&) = delete;
  BlockSums& operator=(const BlockSums&) = delete;

  void clear();
  /// Rows a, a + row, …, `depth` pairs of each, times rows of kPanel pairs from b on.
  void add(const Pair* a, long row, const Pair* b, long depth);
  /// [kBlockRows, kPanel].
  void store(float* to) const;
  void load(const float* from);

#if !defined(__AMX_BF16__)
 private:
  Vec sums_[kBlockRows][2];
#endif
};

#if defined(__AMX_BF16__)

// Two tiles of 16 × 16 sums (0, 1), one of rows (2) and one of columns (3). More sums would need
// fewer loads, but while a core's other thread works there are hardly more registers than these
// that can be renamed, and loads then wait for products: twice as long with all eight in use.
static_assert(kPanel == 32 && kBlockRows == 16 && kBlockDepth == 16);

EDMUND_INLINE BlockSums::BlockSums() {
  struct alignas(64) Configuration {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t bytes[16] = {64, 64, 64, 64};  // of a row
    std::uint8_t rows[16] = {16, 16, 16, 16};
  };
  static const Configuration configuration;
  _tile_loadconfig(&configuration);
  asm volatile("" ::: "memory");  // what is loaded later has been written
}
EDMUND_INLINE BlockSums::~BlockSums() { _tile_release(); }

EDMUND_INLINE void BlockSums::clear() {
  _tile_zero(0);
  _tile_zero(1);
}

EDMUND_INLINE void BlockSums::add(const Pair* a, long row, const Pair* b, long depth) {
  const long a_bytes = 4 * row, b_bytes = 4 * kPanel;
  for (long d = 0; d < depth; d += kBlockDepth, b += kBlockDepth * kPanel) {
    _tile_loadd(2, a + d, a_bytes);
    _tile_loadd(3, b, b_bytes);
    _tile_dpbf16ps(0, 2, 3);
    _tile_loadd(3, b + 16, b_bytes);
    _tile_dpbf16ps(1, 2, 3);
  }
}

EDMUND_INLINE void BlockSums::store(float* to) const {
  const long bytes = 4 * kPanel;
  _tile_stored(0, to, bytes);
  _tile_stored(1, to + 16, bytes);
}

EDMUND_INLINE void BlockSums::load(const float* from) {
  const long bytes = 4 * kPanel;
  asm volatile("" ::: "memory");
  _tile_loadd(0, from, bytes);
  _tile_loadd(1, from + 16, bytes);
}

#else

EDMUND_INLINE void BlockSums::clear() {
  for (auto& row : sums_) row[0] = row[1] = Vec{};
}

EDMUND_INLINE void BlockSums::add(const Pair* a, long row, const Pair* b, long depth) {
  for (long i = 0; i < kBlockRows; ++i)
    for (long d = 0; d < depth; ++d)
      for (long j = 0; j < 2; ++j)
        add_product(sums_[i][j], a[i * row + d], cpu::EDMUND_ISA::load(b + d * kPanel + j * kWidth));
}

EDMUND_INLINE void BlockSums::store(float* to) const {
  for (long i = 0; i < kBlockRows; ++i)
    for (long j = 0; j < 2; ++j) cpu::EDMUND_ISA::store(to + i * kPanel + j * kWidth, sums_[i][j]);
}

EDMUND_INLINE void BlockSums::load(const float* from) {
  for (long i = 0; i < kBlockRows; ++i)
    for (long j = 0; j < 2; ++j) sums_[i][j] = cpu::EDMUND_ISA::load(from + i * kPanel + j * kWidth);
}

#endif

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
