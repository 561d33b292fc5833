#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace edmund {

/// Most bytes of pixels that are held in memory; larger arrays are read where they lie, or, if they
/// are compressed, from a temporary file.
inline constexpr std::uint64_t kPixelsInMemory = 1ull << 28;

/// A large array of bytes whose parts are read when they are asked for.
struct PixelFile {
  std::vector<std::int64_t> shape;
  /// `count` bytes from `offset` on, in the array's (C) order. Thread-safe. Throws Error if they
  /// cannot be read.
  std::function<std::string(std::uint64_t offset, std::uint64_t count)> bytes;
};

}  // namespace edmund
