#pragma once

#include "edmund/io/image_format.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace edmund {

/// As header_in() and check_complete(), of a WebP.
std::optional<ImageHeader> webp_header(std::string_view bytes, std::string_view name, const ImageReading& reading);
void check_webp(std::string_view bytes, std::string_view name);

/// Throws Error for an image that is (partly) transparent if no background is given.
void require_background(bool transparent, std::string_view what, std::string_view name, const ImageReading& reading);
/// Channels of a transparent image once it lies on its background: a colored one makes grey RGB.
std::int64_t flattened_channels(std::int64_t channels, const ImageReading& reading);

}  // namespace edmund
