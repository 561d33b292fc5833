#pragma once

#include "edmund/core/tensor.h"

#include <string>

namespace edmund {

/// Bytes of an animated GIF that plays without end: frames uint8 [F, C, H, W], C = 1 or 3 (RGB),
/// all shown for `delay` hundredths of a second but the last, shown for a second. Grey levels are
/// exact; of colors 256 are kept, by median cut (Heckbert 1982) of all frames where they have more.
std::string gif_bytes(const Tensor& frames, int delay = 8);

}  // namespace edmund
