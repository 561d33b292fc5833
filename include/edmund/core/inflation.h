#pragma once

#include <cstdint>

namespace edmund {

/// How many times its compressed size data may have: images come to a fifth or tenth, a hundredth
/// is a trap.
inline constexpr std::uint64_t kMostInflation = 128;

/// Whether `bytes` of what was `packed` bytes are out of proportion. Up to 64 MB nothing is.
constexpr bool inflates_too_far(std::uint64_t bytes, std::uint64_t packed) {
  constexpr std::uint64_t kFree = 64 << 20;
  return bytes > kFree && bytes / kMostInflation > packed;
}

}  // namespace edmund
