#include "edmund/core/philox.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace edmund {
namespace {

// an even number; four would do for large halves (Luby and Rackoff 1988)
constexpr int kRounds = 8;
constexpr int kLeastHalf = 4;  // bits; fewer give too few round functions to reach every order

}  // namespace

std::uint64_t permuted(std::uint64_t index, std::uint64_t size, std::uint64_t seed, std::uint64_t epoch) {
  assert(index < size);
  if (size <= 1) return 0;
  const int half = std::max(static_cast<int>(std::bit_width(size - 1) + 1) / 2, kLeastHalf);
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  do {  // walks along the cycle until it is back inside: a permutation of 0 … size-1 as well
    std::uint64_t left = index >> half, right = index & mask;
    for (std::uint32_t round = 0; round < kRounds; ++round) {
      const RandomKey key{.seed = seed, .stream = Stream::kOrder, .sample = epoch, .draw = round};
      const std::uint64_t mixed = left ^ (key.words(static_cast<std::uint32_t>(right))[0] & mask);
      left = right;
      right = mixed;
    }
    index = left << half | right;
  } while (index >= size);
  return index;
}

}  // namespace edmund
