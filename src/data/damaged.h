#pragma once

#include "edmund/data/image_source.h"

#include <cstdint>
#include <functional>

namespace edmund {

/// The source without the images that cannot be decoded: reads all of them, and counts in a warning
/// those that are left out. Throws Error if none is left.
ImageSource without_damaged(ImageSource source);

/// Throws Error naming the images (the first ten, and their number) whose headers are damaged.
void require_headers(const ImageSource& source);

}  // namespace edmund
