#pragma once

#include <cstdint>
#include <string_view>

namespace edmund {

/// Orientation of an image from its EXIF data (a TIFF header and directory): 1 to 8; 1, as stored,
/// where the data is damaged or says nothing.
std::int64_t exif_orientation(std::string_view tiff);

}  // namespace edmund
