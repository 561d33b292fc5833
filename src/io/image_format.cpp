#include "edmund/io/image_format.h"

#include "edmund/core/error.h"
#include "exif.h"
#include "webp_format.h"

#include <algorithm>
#include <utility>
#include <zlib.h>

namespace edmund {
namespace {

using namespace std::string_view_literals;

constexpr auto kPngSignature = "\x89PNG\r\n\x1a\n"sv;
constexpr auto kJpegSignature = "\xff\xd8\xff"sv;

bool is_jpeg(std::string_view bytes) { return bytes.starts_with(kJpegSignature); }

std::int64_t byte(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }
std::int64_t big16(std::string_view bytes, std::size_t at) { return byte(bytes, at) << 8 | byte(bytes, at + 1); }
std::int64_t big32(std::string_view bytes, std::size_t at) { return big16(bytes, at) << 16 | big16(bytes, at + 2); }

void check_size(const ImageHeader& header, std::string_view name, std::int64_t pixel_limit) {
  require(header.width > 0 && header.height > 0, "{}: its header gives {}x{} pixels; the file is damaged", name,
          header.width, header.height);
  require(header.width <= pixel_limit / header.height, "{}: its header gives {}x{} pixels; at most {} pixels are read",
          name, header.width, header.height, pixel_limit);
}

// The size as it is shown: orientations from 5 on exchange rows and columns.
ImageHeader turned(std::int64_t width, std::int64_t height, std::int64_t channels, std::int64_t orientation) {
  if (orientation >= 5) std::swap(width, height);
  return {.width = width, .height = height, .channels = channels, .orientation = orientation};
}

// What stands between IHDR and the image data.
struct Ancillary {
  std::int64_t orientation = 1;
  bool transparent = false;  // tRNS: a color or entries of the palette
};

// Empty if the chunks are cut short.
std::optional<Ancillary> png_ancillary(std::string_view bytes) {
  Ancillary out;
  for (std::size_t at = 33; at + 8 <= bytes.size();) {
    const auto length = static_cast<std::size_t>(big32(bytes, at));
    const auto type = bytes.substr(at + 4, 4);
    if (type == "IDAT" || type == "IEND") return out;
    out.transparent = out.transparent || type == "tRNS";
    if (at + 12 + length > bytes.size()) return {};
    if (type == "eXIf") out.orientation = exif_orientation(bytes.substr(at + 8, length));
    at += 12 + length;
  }
  return {};
}

// IHDR: length 13, "IHDR", width, height, bit depth, color type, …, checksum: bytes 8 to 33.
std::optional<ImageHeader> png_header(std::string_view bytes, std::string_view name, const ImageReading& reading) {
  if (bytes.size() < 33) return {};
  require(big32(bytes, 8) == 13 && bytes.substr(12, 4) == "IHDR", "{}: PNG without a header chunk; the file is damaged",
          name);
  const auto depth = byte(bytes, 24), color = byte(bytes, 25);
  require(depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16,
          "{}: PNG of bit depth {}; the file is damaged", name, depth);
  require(color == 0 || color == 2 || color == 3 || color == 4 || color == 6,
          "{}: PNG of color type {}; the file is damaged", name, color);
  require(depth != 16 || reading.deep != ImageReading::Deep::kRefuse,
          "{}: 16-bit PNG; images of 8 bits a channel are read here, convert it first", name);
  require_background(color == 4 || color == 6, "PNG with an alpha channel", name, reading);
  const auto found = png_ancillary(bytes);
  if (!found) return {};
  require_background(found->transparent, "PNG with transparent colors", name, reading);
  const bool alpha = color == 4 || color == 6 || found->transparent, grey = color == 0 || color == 4;
  ImageHeader out = turned(big32(bytes, 16), big32(bytes, 20), grey ? 1 : 3, found->orientation);
  out.stored = out.channels + (alpha ? 1 : 0);
  out.bits = depth == 16 ? 16 : 8;
  if (alpha) out.channels = flattened_channels(out.channels, reading);
  return out;
}

// Position after the marker segment at `at` (0xFF, type, two bytes of length, …), or npos if it is
// cut short.
std::size_t after_segment(std::string_view bytes, std::size_t at, std::string_view name) {
  if (at + 4 > bytes.size()) return std::string_view::npos;
  const auto length = big16(bytes, at + 2);
  require(length >= 2, "{}: JPEG marker of length {}; the file is damaged", name, length);
  const auto end = at + 2 + static_cast<std::size_t>(length);
  return end <= bytes.size() ? end : std::string_view::npos;
}

// Position of the next marker at or after `at`, fill bytes skipped; npos if it is cut short.
std::size_t marker_at(std::string_view bytes, std::size_t at, std::string_view name) {
  if (at >= bytes.size()) return std::string_view::npos;
  require(byte(bytes, at) == 0xFF, "{}: JPEG without a marker at byte {}; the file is damaged", name, at);
  while (at + 1 < bytes.size() && byte(bytes, at + 1) == 0xFF) ++at;
  return at + 1 < bytes.size() ? at : std::string_view::npos;
}

bool is_frame(std::int64_t type) {
  return type >= 0xC0 && type <= 0xCF && type != 0xC4 && type != 0xC8 && type != 0xCC;
}

// Header of the frame that the marker at `at` begins; empty if it is cut short.
std::optional<ImageHeader> frame_header(std::string_view bytes, std::size_t at, std::int64_t orientation,
                                        std::string_view name) {
  if (at + 10 > bytes.size()) return {};
  const auto type = byte(bytes, at + 1), depth = byte(bytes, at + 4), channels = byte(bytes, at + 9);
  require(type <= 0xC2, "{}: JPEG of a kind that is not read (frame type {}); baseline and progressive ones are", name,
          type);
  require(depth == 8, "{}: {}-bit JPEG; images of 8 bits a channel are read", name, depth);
  require(channels == 1 || channels == 3, "{}: JPEG of {} channels; grey and RGB images are read, convert it first",
          name, channels);
  ImageHeader out = turned(big16(bytes, at + 7), big16(bytes, at + 5), channels, orientation);
  out.stored = channels;
  return out;
}

std::optional<ImageHeader> jpeg_header(std::string_view bytes, std::string_view name) {
  constexpr auto kExif = "Exif\0\0"sv;
  std::int64_t orientation = 0;  // none yet: the first segment counts
  for (std::size_t at = 2; at != std::string_view::npos;) {
    at = marker_at(bytes, at, name);
    if (at == std::string_view::npos) return {};
    const auto type = byte(bytes, at + 1);
    require(type != 0xDA && type != 0xD9, "{}: JPEG without a frame header; the file is damaged", name);
    if (is_frame(type)) return frame_header(bytes, at, std::max<std::int64_t>(orientation, 1), name);
    const auto end = after_segment(bytes, at, name);
    if (type == 0xE1 && end != std::string_view::npos && orientation == 0)
      if (const auto body = bytes.substr(at + 4, end - at - 4); body.starts_with(kExif))
        orientation = exif_orientation(body.substr(kExif.size()));
    at = end;
  }
  return {};
}

void check_png(std::string_view bytes, std::string_view name) {
  bool data = false;
  // chunk: length, type, data, checksum of type and data
  for (std::size_t at = kPngSignature.size();;) {
    require(at + 12 <= bytes.size() && at + 12 + static_cast<std::size_t>(big32(bytes, at)) <= bytes.size(),
            "{}: PNG is cut short after {} bytes", name, bytes.size());
    const auto length = static_cast<std::size_t>(big32(bytes, at));
    const auto type = bytes.substr(at + 4, 4);
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(bytes.data() + at + 4), static_cast<uInt>(length + 4));
    require(static_cast<std::int64_t>(crc) == big32(bytes, at + 8 + length),
            "{}: PNG with a wrong checksum at byte {}; the file is damaged", name, at);
    require(!data || type != "eXIf" || exif_orientation(bytes.substr(at + 8, length)) == 1,
            "{}: PNG whose orientation (EXIF) stands behind its pixels; turn it upright first", name);
    data = data || type == "IDAT";
    if (type == "IEND") return require(data, "{}: PNG without image data; the file is damaged", name);
    at += 12 + length;
  }
}

void check_jpeg(std::string_view bytes, std::string_view name) {
  bool scanned = false;
  for (std::size_t at = 2;;) {
    at = marker_at(bytes, at, name);
    require(at != std::string_view::npos, "{}: JPEG is cut short after {} bytes", name, bytes.size());
    const auto type = byte(bytes, at + 1);
    if (type == 0xD9) return require(scanned, "{}: JPEG without image data; the file is damaged", name);
    at = after_segment(bytes, at, name);
    require(at != std::string_view::npos, "{}: JPEG is cut short after {} bytes", name, bytes.size());
    if (type != 0xDA) continue;
    scanned = true;
    // Coded data: ends at the first 0xFF which is followed by neither 0 nor a restart marker.
    const auto in_data = [&](std::size_t i) {
      const auto next = byte(bytes, i + 1);
      return byte(bytes, i) != 0xFF || next == 0 || (next >= 0xD0 && next <= 0xD7);
    };
    while (at + 1 < bytes.size() && in_data(at)) ++at;
    require(at + 1 < bytes.size(), "{}: JPEG is cut short after {} bytes", name, bytes.size());
  }
}

}  // namespace

bool is_png(std::string_view bytes) { return bytes.starts_with(kPngSignature); }

void require_background(bool transparent, std::string_view what, std::string_view name, const ImageReading& reading) {
  require(!transparent || reading.background.has_value(),
          "{}: {}; flatten it to grey or RGB first, or give `data.background: [r, g, b]` to lay it on", name, what);
}

std::int64_t flattened_channels(std::int64_t channels, const ImageReading& reading) {
  const auto& color = reading.background;
  return color && ((*color)[0] != (*color)[1] || (*color)[1] != (*color)[2]) ? 3 : channels;
}

std::optional<ImageHeader> header_in(std::string_view bytes, std::string_view name, std::int64_t pixel_limit,
                                     const ImageReading& reading) {
  constexpr std::size_t kSignature = 12;  // of the longest, WebP's
  if (bytes.size() < kSignature) return {};
  require(is_png(bytes) || is_jpeg(bytes) || is_webp(bytes), "{}: neither a PNG nor a JPEG nor a WebP image", name);
  const auto header = is_png(bytes)    ? png_header(bytes, name, reading)
                      : is_webp(bytes) ? webp_header(bytes, name, reading)
                                       : jpeg_header(bytes, name);
  if (header) check_size(*header, name, pixel_limit);
  return header;
}

void check_complete(std::string_view bytes, std::string_view name) {
  if (is_png(bytes))
    check_png(bytes, name);
  else if (is_webp(bytes))
    check_webp(bytes, name);
  else
    check_jpeg(bytes, name);
}

ImageHeader image_header(std::string_view bytes, std::string_view name, std::int64_t pixel_limit,
                         const ImageReading& reading) {
  const auto header = header_in(bytes, name, pixel_limit, reading);
  require(header.has_value(), "{}: image is cut short after {} bytes", name, bytes.size());
  return *header;
}

}  // namespace edmund
