#pragma once

#include "edmund/core/tensor.h"
#include "support/temporary_folder.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Files that tests make by hand, byte by byte where that matters.
namespace edmund::testing {

/// A picture [channels, height, width] without symmetry, another one for each `number`.
Tensor picture(std::int64_t channels, std::int64_t height, std::int64_t width, std::int64_t number = 0);

std::string big_endian(std::int64_t value);
/// IDX header of unsigned bytes, followed by `data`.
std::string idx_bytes(const std::vector<std::int64_t>& sizes, std::string_view data);
std::string gzipped(std::string_view bytes);

/// A PNG chunk with its length and checksum.
std::string png_chunk(std::string_view type, std::string_view data);
/// PNG from its parts: IHDR of these numbers, `before` (further chunks), IDAT of the compressed
/// `scanlines`, IEND.
std::string hand_made_png(std::int64_t width, std::int64_t height, int depth, int color, std::string_view scanlines,
                          std::string_view before = "", int interlace = 0);
/// JPEG of uint8 [C, H, W] at the best quality; `progressive` or baseline.
std::string jpeg_bytes(const Tensor& image, bool progressive = false);

using Files = std::vector<std::pair<std::string, std::string>>;
/// Zip archive of stored or deflated entries.
std::string zip_bytes(const TemporaryFolder& folder, const Files& entries, bool deflated = false);

}  // namespace edmund::testing
