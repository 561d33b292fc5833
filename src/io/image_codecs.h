#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace edmund {

/// Decode into `pixels`, uint8 [H, W, C] contiguous with C = 1 (grey), 3 (RGB) or one more for
/// alpha, of the size that the file's header gives. Levels and places are those that are stored: no
/// gamma, no color profile, no EXIF orientation. Answer what is wrong with the data, or "". PNG of
/// 16 bits: pixels is of int16, whose bits are those of an unsigned number.
std::string decode_png(std::string_view bytes, const Tensor& pixels);
std::string decode_webp(std::string_view bytes, const Tensor& pixels);
std::string decode_jpeg(std::string_view bytes, const Tensor& pixels);

/// PNG of `pixels`, uint8 [H, W, C] contiguous, C = 1 or 3, compressed for speed rather than for
/// size.
std::string encode_png(const Tensor& pixels);

}  // namespace edmund
