#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>

namespace edmund {

/// Whether σ is nearer to the level below it than to the one above; a tie is not. Of doubles, or of
/// tensors element by element. Beyond both levels it holds of the nearer one too.
template <typename Number>
auto nearer_below(const Number& below, const Number& sigma, const Number& above) {
  return sigma - below < above - sigma;
}

/// The nearest of `levels` (ascending, one at least) in |σ - level|, ties to the larger.
inline double nearest_level(std::span<const double> levels, double sigma) {
  assert(!levels.empty());
  const auto above = std::lower_bound(levels.begin(), levels.end(), sigma);
  if (above == levels.end()) return levels.back();
  if (above == levels.begin()) return levels.front();
  return nearer_below(*(above - 1), sigma, *above) ? *(above - 1) : *above;
}

}  // namespace edmund
