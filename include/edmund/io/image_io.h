#pragma once

#include "edmund/core/tensor.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace edmund {

/// What is done with images that are more than grey or RGB levels of 8 bits.
struct ImageReading {
  enum class Deep {
    kRefuse,  // 16 bits a channel
    kRound,   // to the nearest of 256 levels, v/257
    kKeep     // all images become float32, v/32767.5 - 1 or v/127.5 - 1
  };
  Deep deep = Deep::kRefuse;
  // RGB behind what is transparent, by level, without gamma: (a·c + (1 - a)·background), rounded;
  // none: such images are refused
  std::optional<std::array<std::uint8_t, 3>> background = {};
};

/// Size of an encoded image, from its header alone: as viewers show it, turned by its EXIF
/// orientation.
struct ImageHeader {
  std::int64_t width = 0, height = 0, channels = 0;
  std::int64_t orientation = 1;  // of EXIF, 1 to 8: how the stored pixels are to be turned; 1: not
  // as they are stored: channels with alpha, 2 or 4 where there is one; bits a channel
  std::int64_t stored = 0, bits = 8;
};
/// Reads the header of a PNG, JPEG or WebP before anything is decoded. Throws Error (naming `name`)
/// for other formats, truncated files, animations, what `reading` does not take, and more than
/// `pixel_limit` pixels.
ImageHeader image_header(std::string_view bytes, std::string_view name, std::int64_t pixel_limit = 1 << 26,
                         const ImageReading& reading = {});

/// PNG, JPEG or WebP → uint8 (or float32, see ImageReading) [C, H, W], C = 1 (grey) or 3 (RGB; also
/// where a grey image lies on a colored background), turned by its EXIF orientation. Levels are
/// taken as they are stored: no gamma, no color profile. Throws Error for damaged data, JPEGs whose
/// decoder had to fill in what is missing included.
Tensor decode_image(std::string_view bytes, std::string_view name, const ImageReading& reading = {});
Tensor read_image(const std::filesystem::path& path, const ImageReading& reading = {});

/// PNG bytes of uint8 [C, H, W], C = 1 or 3 (RGB).
std::string png_bytes(const Tensor& image);
void write_png(const std::filesystem::path& path, const Tensor& image);

/// uint8 [B, C, H, W] → one image [C, …] of `columns` columns, each pixel enlarged `zoom` times,
/// `gap` white pixels between.
Tensor image_grid(const Tensor& images, std::int64_t columns, std::int64_t zoom = 1, std::int64_t gap = 0);

}  // namespace edmund
