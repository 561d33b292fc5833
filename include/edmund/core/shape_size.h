#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

namespace edmund {

/// Bytes of an array of this shape (sizes from 0 on). Nothing where they are more than 2^60, or the
/// strides of an empty array would be: LibTorch ends the process over strides that overflow.
inline std::optional<std::uint64_t> shape_size(std::span<const std::int64_t> shape, std::uint64_t element) {
  std::uint64_t bytes = element;
  for (const std::int64_t size : shape) {
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1));
    if (__builtin_mul_overflow(bytes, factor, &bytes) || bytes > (std::uint64_t{1} << 60)) return std::nullopt;
  }
  return std::ranges::count(shape, 0) > 0 ? 0 : bytes;
}

}  // namespace edmund
