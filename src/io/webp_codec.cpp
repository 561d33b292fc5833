// A WebP is a RIFF file: "RIFF", its size, "WEBP", then chunks: name, size, data, a zero byte where
// the size is odd. libwebp is there or not: without it such images are refused by name.

#include "edmund/core/error.h"
#include "exif.h"
#include "image_codecs.h"
#include "webp_format.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <utility>
#ifdef EDMUND_WEBP
#include <webp/decode.h>
#endif

namespace edmund {
namespace {

constexpr std::size_t kHead = 12;  // "RIFF", size, "WEBP"

std::uint64_t size_at(std::string_view bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 4; i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  return value;
}

#ifdef EDMUND_WEBP
// Orientation of the chunk EXIF, which stands behind the pixels; empty if the file is cut short.
std::optional<std::int64_t> webp_orientation(std::string_view bytes) {
  const std::uint64_t end = 8 + size_at(bytes, 4);
  if (bytes.size() < end) return {};
  for (std::uint64_t at = kHead; at + 8 <= end;) {
    const std::uint64_t size = size_at(bytes, at + 4);
    if (size > end - at - 8) break;
    auto data = bytes.substr(at + 8, size);
    if (bytes.substr(at, 4) == "EXIF") {
      if (data.starts_with("Exif")) data.remove_prefix(std::min<std::size_t>(6, data.size()));
      return exif_orientation(data);
    }
    at += 8 + size + size % 2;
  }
  return 1;
}
#endif

}  // namespace

bool is_webp(std::string_view bytes) {
  return bytes.size() >= kHead && bytes.starts_with("RIFF") && bytes.substr(8, 4) == "WEBP";
}

void check_webp(std::string_view bytes, std::string_view name) {
  require(bytes.size() >= 8 + size_at(bytes, 4), "{}: WebP is cut short after {} bytes", name, bytes.size());
  require(size_at(bytes, 4) >= 12, "{}: WebP without image data; the file is damaged", name);
}

#ifdef EDMUND_WEBP

std::optional<ImageHeader> webp_header(std::string_view bytes, std::string_view name, const ImageReading& reading) {
  WebPBitstreamFeatures found;
  const auto code = WebPGetFeatures(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), &found);
  if (code == VP8_STATUS_NOT_ENOUGH_DATA) return {};
  require(code == VP8_STATUS_OK, "{}: WebP with a damaged header", name);
  require(found.has_animation == 0, "{}: an animated WebP; save its images one by one", name);
  require_background(found.has_alpha != 0, "WebP with an alpha channel", name, reading);
  ImageHeader out{.width = found.width, .height = found.height, .channels = 3, .stored = found.has_alpha != 0 ? 4 : 3};
  constexpr char kExif = 0x08;
  const bool extended = bytes.size() > 20 && bytes.substr(kHead, 4) == "VP8X";
  if (!extended || (bytes[20] & kExif) == 0) return out;
  const auto orientation = webp_orientation(bytes);
  if (!orientation) return {};
  out.orientation = *orientation;
  if (out.orientation >= 5) std::swap(out.width, out.height);
  return out;
}

std::string decode_webp(std::string_view bytes, const Tensor& pixels) {
  const bool alpha = pixels.size(2) == 4;
  auto* to = pixels.data_ptr<std::uint8_t>();
  const auto* from = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const auto size = static_cast<std::size_t>(pixels.numel());
  const int stride = static_cast<int>(pixels.size(1) * pixels.size(2));
  const bool done = (alpha ? WebPDecodeRGBAInto(from, bytes.size(), to, size, stride)
                           : WebPDecodeRGBInto(from, bytes.size(), to, size, stride)) != nullptr;
  return done ? "" : "libwebp gives it up";
}

#else

std::optional<ImageHeader> webp_header(std::string_view, std::string_view name, const ImageReading&) {
  fail("{}: a WebP image; this edmund was built without libwebp: install libwebp-dev and build anew, or convert it",
       name);
}

std::string decode_webp(std::string_view, const Tensor&) { return "edmund was built without libwebp"; }

#endif

}  // namespace edmund
