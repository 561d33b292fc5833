#include "edmund/io/image_io.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/io/image_format.h"
#include "image_codecs.h"

#include <array>
#include <ATen/ATen.h>
#include <limits>

namespace edmund {
namespace {

// Stored pixels [C, H, W] as EXIF says that they are looked at.
Tensor upright(const Tensor& stored, std::int64_t orientation) {
  switch (orientation) {
    case 2: return stored.flip(2);
    case 3: return stored.flip({1, 2});
    case 4: return stored.flip(1);
    case 5: return stored.transpose(1, 2);
    case 6: return stored.transpose(1, 2).flip(2);  // a quarter turn clockwise
    case 7: return stored.transpose(1, 2).flip({1, 2});
    case 8: return stored.transpose(1, 2).flip(1);  // a quarter turn counterclockwise
    default: return stored;
  }
}

// Levels of T bits [H, W, stored] on their background, [H, W, channels]: uint8, or float32 in
// [-1, 1]. All in whole numbers up to the one rounding at the end.
template <typename T>
Tensor flattened_levels(const Tensor& pixels, std::int64_t channels, const ImageReading& reading) {
  constexpr std::uint64_t kMost = std::numeric_limits<T>::max(), kSteps = kMost / 255;
  const std::int64_t stored = pixels.size(2), count = pixels.size(0) * pixels.size(1);
  const bool alpha = stored == 2 || stored == 4, keeps = reading.deep == ImageReading::Deep::kKeep;
  const auto color = reading.background.value_or(std::array<std::uint8_t, 3>{});
  Tensor out = at::empty({pixels.size(0), pixels.size(1), channels}, keeps ? at::kFloat : at::kByte);
  const T* from = static_cast<const T*>(pixels.const_data_ptr());
  const std::int64_t colors = stored - (alpha ? 1 : 0);
  for (std::int64_t i = 0; i < count; ++i, from += stored)
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::uint64_t a = alpha ? from[colors] : kMost, behind = color[static_cast<std::size_t>(c)] * kSteps;
      const std::uint64_t sum = a * from[colors == 1 ? 0 : c] + (kMost - a) * behind;  // of kMost²
      if (keeps)
        out.data_ptr<float>()[i * channels + c] =
            static_cast<float>(2 * static_cast<double>(sum) / static_cast<double>(kMost * kMost) - 1);
      else
        out.data_ptr<std::uint8_t>()[i * channels + c] =
            static_cast<std::uint8_t>((sum + kMost * kSteps / 2) / (kMost * kSteps));
    }
  return out;
}

Tensor flattened(const Tensor& pixels, std::int64_t channels, const ImageReading& reading) {
  return pixels.element_size() == 2 ? flattened_levels<std::uint16_t>(pixels, channels, reading)
                                    : flattened_levels<std::uint8_t>(pixels, channels, reading);
}

}  // namespace

Tensor decode_image(std::string_view bytes, std::string_view name, const ImageReading& reading) {
  require(bytes.size() <= kEncodedLimit, "{}: {} bytes; at most {} are read", name, bytes.size(), kEncodedLimit);
  const auto header = image_header(bytes, name, kPixelLimit, reading);
  check_complete(bytes, name);
  const bool lies = header.orientation >= 5;
  const Tensor pixels =
      at::empty({lies ? header.width : header.height, lies ? header.height : header.width, header.stored},
                header.bits == 16 ? at::kShort : at::kByte);
  const std::string fault = is_png(bytes)    ? decode_png(bytes, pixels)
                            : is_webp(bytes) ? decode_webp(bytes, pixels)
                                             : decode_jpeg(bytes, pixels);
  require(fault.empty(), "{}: image data cannot be decoded ({}); the file is damaged", name, fault);
  const bool keeps = reading.deep == ImageReading::Deep::kKeep;
  const bool plain = header.bits == 8 && header.stored == header.channels && !keeps;
  const Tensor levels = plain ? pixels : flattened(pixels, header.channels, reading);
  return upright(levels.permute({2, 0, 1}), header.orientation).contiguous();
}

Tensor read_image(const std::filesystem::path& path, const ImageReading& reading) {
  return decode_image(read_file(path, kEncodedLimit), path.string(), reading);
}

std::string png_bytes(const Tensor& image) {
  TORCH_CHECK(image.dim() == 3 && image.scalar_type() == at::kByte && (image.size(0) == 1 || image.size(0) == 3),
              "png_bytes: uint8 [1 or 3, H, W] expected, found ", image.scalar_type(), " ", image.sizes());
  return encode_png(image.cpu().permute({1, 2, 0}).contiguous());
}

void write_png(const std::filesystem::path& path, const Tensor& image) { write_file(path, png_bytes(image)); }

}  // namespace edmund
