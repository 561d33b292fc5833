#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <string_view>

namespace edmund {

/// uint8 [C, H', W'] resized by `method`: area (means; for smaller images), bilinear (half-pixel
/// centers, no blur before), bicubic (likewise, A = -0.75), pad (zero border around the centered
/// image, which must not be larger), crop (the largest centered box of the asked proportions, then
/// area). Throws Error for another method and for an image too large to be padded.
Tensor resized(const Tensor& image, std::int64_t height, std::int64_t width, std::string_view method);

}  // namespace edmund
