#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

/// Sums over many numbers in an order that is a function of their count alone, whatever the number
/// of threads: a sum is made of those of shares, each by one thread, which are added one after the
/// other.
namespace edmund::ops {

/// Shares of `units`: as many as have at least `least` units each, at most `most`, at least one. A
/// power of two, so that the usual numbers of threads have equal work.
inline std::int64_t shares_of(std::int64_t units, std::int64_t least, std::int64_t most) {
  const auto fitting = static_cast<std::uint64_t>(std::max<std::int64_t>(1, units / least));
  return std::min(most, static_cast<std::int64_t>(std::bit_floor(fitting)));
}

/// sum[i] += Σ rows[row·stride + i] for i in [0, size), row after row.
template <typename T>
void add_rows(T* sum, const T* rows, std::int64_t count, std::int64_t size, std::int64_t stride) {
  for (std::int64_t row = 0; row < count; ++row, rows += stride)
    for (std::int64_t i = 0; i < size; ++i) sum[i] += rows[i];
}

/// Adds the sums of all shares, `stride` numbers apart, to those of the first; returns them.
template <typename T>
T* add_shares(T* sums, std::int64_t shares, std::int64_t size, std::int64_t stride) {
  add_rows(sums, sums + stride, shares - 1, size, stride);
  return sums;
}

}  // namespace edmund::ops
