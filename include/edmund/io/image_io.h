#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace edmund {

/// Size of an encoded image, from its header alone: as viewers show it, turned by its EXIF
/// orientation.
struct ImageHeader {
  std::int64_t width = 0, height = 0, channels = 0;
  std::int64_t orientation = 1;  // of EXIF, 1 to 8: how the stored pixels are to be turned; 1: not
};
/// Reads the header of a PNG or JPEG before anything is decoded. Throws Error (naming `name`) for
/// other formats, truncated files, 16-bit images, alpha channels and transparent colors, and for
/// more than `pixel_limit` pixels.
ImageHeader image_header(std::string_view bytes, std::string_view name, std::int64_t pixel_limit = 1 << 26);

/// PNG or JPEG → uint8 [C, H, W], C = 1 (grey) or 3 (RGB), turned by its EXIF orientation; alpha is
/// refused by name. Levels are taken as they are stored: no gamma, no color profile. Throws Error
/// for damaged data, JPEGs whose decoder had to fill in what is missing included.
Tensor decode_image(std::string_view bytes, std::string_view name);
Tensor read_image(const std::filesystem::path& path);

/// PNG bytes of uint8 [C, H, W], C = 1 or 3 (RGB).
std::string png_bytes(const Tensor& image);
void write_png(const std::filesystem::path& path, const Tensor& image);

/// uint8 [B, C, H, W] → one image [C, …] of `columns` columns, each pixel enlarged `zoom` times,
/// `gap` white pixels between.
Tensor image_grid(const Tensor& images, std::int64_t columns, std::int64_t zoom = 1, std::int64_t gap = 0);

}  // namespace edmund
