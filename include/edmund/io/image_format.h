#pragma once

#include "edmund/io/image_io.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace edmund {

/// Most pixels that an image may have unless a caller says otherwise.
inline constexpr std::int64_t kPixelLimit = 1 << 26;
/// Most bytes that an encoded image may have.
inline constexpr std::uint64_t kEncodedLimit = 1ull << 28;

bool is_png(std::string_view bytes);
bool is_webp(std::string_view bytes);

/// As image_header, from the first bytes of a file; empty if the header reaches beyond them.
std::optional<ImageHeader> header_in(std::string_view bytes, std::string_view name,
                                     std::int64_t pixel_limit = kPixelLimit, const ImageReading& reading = {});

/// Walks through all chunks (PNG, with their checksums; WebP) or markers (JPEG). Throws Error for a
/// file that is cut short or damaged: the decoders would fill in what is missing, or print to the
/// terminal.
void check_complete(std::string_view bytes, std::string_view name);

}  // namespace edmund
