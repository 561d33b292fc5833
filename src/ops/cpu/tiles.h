#pragma once

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

/// A tile of 4×4 pixels: its image and its first pixel.
struct Tile {
  long image, y, x;
};

/// Tiles of all images, row by row; the last of a row or column may stand over.
struct Tiling {
  long columns, rows;

  Tiling(long H, long W) : columns((W + 3) / 4), rows((H + 3) / 4) {}
  Tile tile(long t) const { return {t / (columns * rows), t / columns % rows * 4, t % columns * 4}; }
};

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
