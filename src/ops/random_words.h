#pragma once

#include "edmund/core/philox.h"

#include <cstdint>
#include <functional>
#include <span>

namespace edmund::ops {

/// Receives the random words of elements first, first + 1, … of one row.
using WordConsumer = std::function<void(std::int64_t row, std::int64_t first, std::span<const std::uint32_t> words)>;

/// Draws one random word for each of `count` elements (rounded up to a multiple of four) of each
/// row and hands them to `consume` in runs, in parallel. Element n of row i is lane n%4 of block
/// n/4 of (seed, stream, samples[i], draw). Runs start at multiples of four.
void draw_words(std::uint64_t seed, Stream stream, std::span<const std::int64_t> samples, std::uint32_t draw,
                std::int64_t count, const WordConsumer& consume);

}  // namespace edmund::ops
