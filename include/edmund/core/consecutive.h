#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace edmund {

/// The numbers first … first + count - 1, as of images and of rows; count >= 0.
inline std::vector<std::int64_t> consecutive(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), first);
  return out;
}

}  // namespace edmund
