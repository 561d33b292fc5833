#pragma once

#include "edmund/generation/image_generator.h"

#include <cstdint>

namespace edmund {

/// The denoising of image numbers 0 … rows - 1 seen at `columns` points of the way: uint8 [rows ·
/// columns, C, H, W], row by row: D(z; σ) as the sampler got it, noisiest first, and the image at
/// last.
Tensor trajectory(ImageGenerator& generator, std::int64_t rows, std::int64_t columns, std::uint64_t seed);

}  // namespace edmund
