// Damaged and hostile images: one line with the name, and nothing decoded.

#include "edmund/io/image_io.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_formats.h"

#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

namespace {

// Message of decoding `bytes`, which must be one line that begins with the name.
std::string refusal(std::string_view bytes) {
  const auto message = error_of([&] { decode_image(bytes, "some/image"); });
  CHECK(message.starts_with("some/image: "));
  CHECK_FALSE(contains(message, "\n"));
  return message;
}

const std::string kLine("\0\1\2\3", 4);  // one grey line of 3 pixels

}  // namespace

TEST_CASE("a PNG that ends anywhere before its end is refused", "[data]") {
  const std::string png = png_bytes(picture(3, 5, 5));
  for (std::size_t length = 0; length < png.size(); ++length) {
    INFO("first " << length << " bytes");
    CHECK(contains(refusal(std::string_view(png).substr(0, length)), "cut short"));
  }
}

TEST_CASE("a JPEG that ends anywhere before its end is refused", "[data]") {
  const auto progressive = GENERATE(false, true);
  const std::string jpeg = jpeg_bytes(picture(3, 9, 9), progressive);
  for (std::size_t length = 0; length < jpeg.size(); ++length) {
    INFO("first " << length << " bytes");
    CHECK(contains(refusal(std::string_view(jpeg).substr(0, length)), "cut short"));
  }
}

TEST_CASE("a changed byte anywhere in a PNG is noticed", "[data]") {
  const std::string png = png_bytes(picture(3, 5, 5));
  for (std::size_t at = 0; at < png.size(); ++at) {
    INFO("byte " << at);
    std::string damaged = png;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x15);
    CHECK(error_of([&] { decode_image(damaged, "x.png"); }).starts_with("x.png: "));
  }
}

TEST_CASE("a changed byte in a JPEG is refused or decoded, with the promised size", "[data]") {
  const std::string jpeg = jpeg_bytes(picture(3, 9, 9));
  for (std::size_t at = 0; at < jpeg.size(); at += 40) {
    std::string damaged = jpeg;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x15);
    Tensor image;
    const auto message = error_of([&] { image = decode_image(damaged, "x.jpg"); });
    CHECK((image.defined() || message.starts_with("x.jpg: ")));
  }
}

TEST_CASE("a JPEG of which data is missing, but not its end marker, is refused", "[data]") {
  const auto progressive = GENERATE(false, true);
  const std::string jpeg = jpeg_bytes(picture(3, 64, 64), progressive), end = "\xff\xd9";
  REQUIRE_FALSE(decode_image(jpeg, "x.jpg").numel() == 0);
  for (const double share : {0.5, 0.7, 0.9}) {
    INFO(share);
    const auto length = static_cast<std::size_t>(share * static_cast<double>(jpeg.size()));
    CHECK(contains(refusal(jpeg.substr(0, length) + end), "cannot be decoded"));
  }
}

TEST_CASE("a progressive JPEG without its last scans is refused", "[data]") {
  const std::string jpeg = jpeg_bytes(picture(3, 32, 32), true);
  int scans = 0;
  for (auto at = jpeg.rfind("\xff\xda"); at != std::string::npos && at > 0 && scans < 5;
       at = jpeg.rfind("\xff\xda", at - 1)) {
    // What belongs to a scan begins with its Huffman table.
    const auto table = jpeg.rfind("\xff\xc4", at);
    if (table == std::string::npos || jpeg.find("\xff\xda", table) != at) continue;
    ++scans;
    CHECK(contains(refusal(jpeg.substr(0, table) + "\xff\xd9"), "cannot be decoded"));
  }
  CHECK(scans > 2);
}

TEST_CASE("transparent colors are refused by the header, before anything is decoded", "[data]") {
  const std::string png = hand_made_png(3, 1, 8, 0, kLine, png_chunk("tRNS", std::string(2, '\0')));
  CHECK(contains(error_of([&] { image_header(png, "x.png"); }), "x.png: PNG with transparent colors"));
}

TEST_CASE("images of kinds that are not read are refused by name", "[data]") {
  const std::string wide(2 * 3 + 1, '\0'), alpha(4 * 3 + 1, '\0');
  CHECK(contains(refusal(hand_made_png(3, 1, 16, 0, wide)), "16-bit PNG"));
  CHECK(contains(refusal(hand_made_png(3, 1, 8, 6, alpha)), "alpha channel"));
  CHECK(contains(refusal(hand_made_png(3, 1, 8, 4, wide)), "alpha channel"));
  CHECK(contains(refusal(hand_made_png(3, 1, 8, 0, kLine, png_chunk("tRNS", std::string(2, '\0')))), "transparent"));
  CHECK(contains(refusal("GIF89a" + std::string(40, 'x')), "neither a PNG nor a JPEG"));
  CHECK(contains(refusal(""), "cut short after 0 bytes"));
}

TEST_CASE("hostile PNG headers are refused before anything is decoded", "[data]") {
  CHECK(contains(refusal(hand_made_png(100000, 100000, 8, 0, kLine)), "100000x100000 pixels; at most 67108864"));
  CHECK(contains(refusal(hand_made_png(0xFFFFFFFF, 0xFFFFFFFF, 8, 0, kLine)), "4294967295x4294967295 pixels"));
  CHECK(contains(refusal(hand_made_png(0, 7, 8, 0, kLine)), "0x7 pixels"));
  CHECK(contains(refusal(hand_made_png(3, 1, 3, 0, kLine)), "bit depth 3"));
  CHECK(contains(refusal(hand_made_png(3, 1, 8, 5, kLine)), "color type 5"));
  const std::string png = hand_made_png(3, 1, 8, 0, kLine);
  CHECK(contains(refusal(png.substr(0, 8) + png_chunk("IDAT", "12345678901234567890")), "without a header chunk"));
  CHECK(contains(error_of([&] { image_header(png, "x.png", 2); }), "3x1 pixels; at most 2"));
}

TEST_CASE("a PNG of too little or no image data is refused", "[data]") {
  CHECK(contains(refusal(hand_made_png(3, 500, 8, 0, kLine)), "cannot be decoded (Not enough image data)"));
  const std::string png = hand_made_png(3, 1, 8, 0, kLine);
  CHECK(contains(refusal(png.substr(0, 33) + png_chunk("IEND", "")), "without image data"));
}

TEST_CASE("hostile JPEG headers are refused before anything is decoded", "[data]") {
  const std::string jpeg = jpeg_bytes(picture(3, 9, 9));
  const auto frame = jpeg.find("\xff\xc0");
  REQUIRE(frame != std::string::npos);
  const auto with = [&](std::size_t offset, std::string_view bytes) {
    std::string changed = jpeg;
    return changed.replace(frame + offset, bytes.size(), bytes);
  };
  CHECK(contains(refusal(with(5, "\xff\xff\xff\xff")), "65535x65535 pixels; at most"));
  CHECK(contains(refusal(with(5, std::string_view("\0\0", 2))), "9x0 pixels"));
  CHECK(contains(refusal(with(9, "\4")), "4 channels"));
  CHECK(contains(refusal(with(4, "\14")), "12-bit JPEG"));
  CHECK(contains(refusal(with(1, "\xc3")), "frame type 195"));
  CHECK(contains(refusal(with(2, std::string_view("\0\1", 2))), "marker of length 1"));
  CHECK(contains(refusal(jpeg.substr(0, 2) + "\xff\xd9" + jpeg.substr(2)), "without a frame header"));
  CHECK(contains(refusal(jpeg.substr(0, 2) + "\xff\xe0" + std::string("\0\4ab", 4) + "junk" + jpeg.substr(2)),
                 "without a marker"));
}
