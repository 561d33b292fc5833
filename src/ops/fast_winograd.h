#pragma once

#include "cpu/bf16_kernels.h"
#include "fast_conv.h"

#include <cstdint>

/// What the convolutions by the Winograd algorithm share: how transformed numbers lie, and in which
/// precision they are multiplied.
namespace edmund::ops::cpu {

/// Planes start one cache line apart modulo the page, so that stores to all of them side by side do
/// not meet in one cache set.
inline std::int64_t plane_of(std::int64_t numbers) { return whole(numbers, 1024) + 16; }

/// Rows of numbers for each tile: not a whole number of 256 bytes apart, for the same reason.
inline std::int64_t spread(std::int64_t row) { return row % 64 == 0 ? row + 16 : row; }

/// Of a contiguous weight as the convolution or (`backward`) the gradient for its input needs it.
FilterWeight view_of(const Tensor& weight, bool backward);

Tiles tiles_of(WinogradTile kind, const Tensor& x, std::int64_t R, std::int64_t S, at::IntArrayRef padding);

/// Products in float32.
struct Float32Products {
  using Number = float;
  const KernelTable& kernels = kernel_table();

  /// Numbers that a row of C channels, and a column of C depths of a filter, takes.
  std::int64_t row(std::int64_t C) const { return spread(whole(C, kernels.panel)); }
  std::int64_t depth(std::int64_t C) const { return C; }
  /// Rows of a gradient's sums for so many tiles, and numbers of a row.
  std::int64_t rows(std::int64_t tiles) const { return tiles; }
  std::int64_t gradient_row(std::int64_t C) const { return row(C); }

  void input_by_tiles(const Tiles& tiles, const float* x, long C, const Range& t, const Planes& v) const {
    kernels.winograd_input(tiles, x, C, t, v);
  }
  void gradient_by_tiles(const Tiles& tiles, const float* dy, long K, const Range& t, const Planes& v) const {
    kernels.winograd_gradient(tiles, dy, K, t, v);
  }
};

/// Products of numbers rounded to bfloat16, two in a Pair; sums are float32's.
struct Bfloat16Products {
  using Number = Pair;
  const Bf16Kernels& kernels = *bf16_kernels();

  std::int64_t row(std::int64_t C) const { return spread(whole(C, kernels.panel) / 2); }
  std::int64_t depth(std::int64_t C) const { return (C + 1) / 2; }
  std::int64_t rows(std::int64_t tiles) const { return (tiles + 1) / 2; }
  std::int64_t gradient_row(std::int64_t C) const { return spread(whole(C, kernels.panel)); }

  void input_by_tiles(const Tiles& tiles, const float* x, long C, const Range& t, const PairPlanes& v) const {
    kernels.winograd_input_by_tiles(tiles, x, C, t, v);
  }
  void gradient_by_tiles(const Tiles& tiles, const float* dy, long K, const Range& t, const PairPlanes& v) const {
    kernels.winograd_gradient_by_tiles(tiles, dy, K, t, v);
  }
};

/// Calls work(Float32Products or Bfloat16Products).
template <typename Work>
auto with_products(Multiply multiply, const Work& work) {
  return multiply == Multiply::kBfloat16 ? work(Bfloat16Products()) : work(Float32Products());
}

}  // namespace edmund::ops::cpu
