#include "edmund/io/image_io.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/io/image_format.h"
#include "image_codecs.h"

#include <ATen/ATen.h>

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

}  // namespace

Tensor decode_image(std::string_view bytes, std::string_view name) {
  require(bytes.size() <= kEncodedLimit, "{}: {} bytes; at most {} are read", name, bytes.size(), kEncodedLimit);
  const auto header = image_header(bytes, name);
  check_complete(bytes, name);
  const bool lies = header.orientation >= 5;
  const Tensor pixels =
      at::empty({lies ? header.width : header.height, lies ? header.height : header.width, header.channels}, at::kByte);
  const std::string fault = is_png(bytes) ? decode_png(bytes, pixels) : decode_jpeg(bytes, pixels);
  require(fault.empty(), "{}: image data cannot be decoded ({}); the file is damaged", name, fault);
  return upright(pixels.permute({2, 0, 1}), header.orientation).contiguous();
}

Tensor read_image(const std::filesystem::path& path) {
  return decode_image(read_file(path, kEncodedLimit), path.string());
}

std::string png_bytes(const Tensor& image) {
  TORCH_CHECK(image.dim() == 3 && image.scalar_type() == at::kByte && (image.size(0) == 1 || image.size(0) == 3),
              "png_bytes: uint8 [1 or 3, H, W] expected, found ", image.scalar_type(), " ", image.sizes());
  return encode_png(image.cpu().permute({1, 2, 0}).contiguous());
}

void write_png(const std::filesystem::path& path, const Tensor& image) { write_file(path, png_bytes(image)); }

}  // namespace edmund
