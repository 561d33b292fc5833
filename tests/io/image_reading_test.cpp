// 16 bits, transparency and WebP: what becomes of them, pixel by pixel.

#include "edmund/io/image_io.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_formats.h"

#include <ATen/ATen.h>
#include <cmath>
#ifdef EDMUND_WEBP
#include <webp/encode.h>
#endif

using namespace edmund;
using namespace edmund::testing;

namespace {

using Deep = ImageReading::Deep;

std::string big16(std::int64_t value) { return big_endian(value).substr(2); }

std::vector<std::int64_t> levels(const Tensor& image) {
  const Tensor flat = image.flatten().to(at::kLong).contiguous();
  return {flat.const_data_ptr<std::int64_t>(), flat.const_data_ptr<std::int64_t>() + flat.numel()};
}

const ImageReading kWhite = {.background = {{255, 255, 255}}}, kBlue = {.background = {{0, 0, 255}}};

}  // namespace

TEST_CASE("16-bit levels are rounded to the nearest of 8 bits", "[data]") {
  const std::vector<std::int64_t> deep = {0, 128, 129, 256, 257, 385, 386, 32767, 65534, 65535};
  std::string line(1, '\0');
  for (const auto value : deep) line += big16(value);
  const auto png = hand_made_png(std::ssize(deep), 1, 16, 0, line);
  std::vector<std::int64_t> expected;
  for (const auto value : deep) expected.push_back(std::lround(static_cast<double>(value) / 257));
  CHECK(levels(decode_image(png, "x.png", {.deep = Deep::kRound})) == expected);
  CHECK(contains(error_of([&] { decode_image(png, "x.png"); }), "16-bit PNG"));
}

TEST_CASE("kept, 16-bit levels are real numbers that tell all of them apart", "[data]") {
  std::string lines;
  for (std::int64_t row = 0; row < 256; ++row) {
    lines += '\0';
    for (std::int64_t column = 0; column < 256; ++column) lines += big16(256 * row + column);
  }
  const Tensor image = decode_image(hand_made_png(256, 256, 16, 0, lines), "x.png", {.deep = Deep::kKeep});
  REQUIRE(image.scalar_type() == at::kFloat);
  const Tensor back = (image.to(at::kDouble) + 1) * 32767.5;
  CHECK((back - at::arange(65536, at::kDouble).view({1, 256, 256})).abs().max().item<double>() < 0.01);
  // 8-bit images of the same set become real numbers, too
  const Tensor eight =
      decode_image(hand_made_png(3, 1, 8, 0, std::string("\0\0\x80\xff", 4)), "y.png", {.deep = Deep::kKeep});
  CHECK(eight.flatten().equal(at::tensor({-1.0F, static_cast<float>(2 * 128.0 / 255 - 1), 1.0F})));
}

TEST_CASE("what is transparent lies on the background: a·c + (1 - a)·b, rounded", "[data]") {
  const int alpha = GENERATE(0, 1, 77, 128, 254, 255);
  const std::string line = std::string("\0\xc8\x32\x0a", 4) + static_cast<char>(alpha);
  const auto mixed = [&](double color, double behind) {
    return static_cast<std::int64_t>(std::floor((alpha * color + (255 - alpha) * behind) / 255 + 0.5));
  };
  const auto png = hand_made_png(1, 1, 8, 6, line);
  CHECK(levels(decode_image(png, "x.png", kWhite)) ==
        std::vector<std::int64_t>{mixed(200, 255), mixed(50, 255), mixed(10, 255)});
  CHECK(levels(decode_image(png, "x.png", kBlue)) ==
        std::vector<std::int64_t>{mixed(200, 0), mixed(50, 0), mixed(10, 255)});
  const auto message = error_of([&] { decode_image(png, "x.png"); });
  CHECK(contains(message, "x.png: PNG with an alpha channel"));
  CHECK(contains(message, "data.background: [r, g, b]"));
}

TEST_CASE("a grey image with alpha stays grey on grey, and is RGB on a color", "[data]") {
  const auto png = hand_made_png(2, 1, 8, 4, std::string("\0\x64\xff\x64\0", 5));
  CHECK(levels(decode_image(png, "x.png", kWhite)) == std::vector<std::int64_t>{100, 255});
  CHECK(levels(decode_image(png, "x.png", kBlue)) == std::vector<std::int64_t>{100, 0, 100, 0, 100, 255});
  CHECK(image_header(png, "x.png", 1 << 26, kWhite).channels == 1);
  CHECK(image_header(png, "x.png", 1 << 26, kBlue).channels == 3);
}

TEST_CASE("transparent colors and palettes lie on the background, too", "[data]") {
  // level 1 of grey is transparent
  const auto grey = hand_made_png(3, 1, 8, 0, std::string("\0\1\2\3", 4), png_chunk("tRNS", std::string("\0\1", 2)));
  CHECK(levels(decode_image(grey, "x.png", kWhite)) == std::vector<std::int64_t>{255, 2, 3});
  const auto palette = hand_made_png(2, 1, 8, 3, std::string("\0\0\1", 3),
                                     png_chunk("PLTE", "\1\2\3\4\5\6") + png_chunk("tRNS", std::string("\0", 1)));
  CHECK(levels(decode_image(palette, "x.png", kBlue)) == std::vector<std::int64_t>{0, 4, 0, 5, 255, 6});
}

TEST_CASE("16 bits with alpha are laid on the background before they are rounded", "[data]") {
  const std::string line = std::string(1, '\0') + big16(1000) + big16(20000);
  const double a = 20000.0 / 65535, level = a * 1000 + (1 - a) * 65535;
  const auto png = hand_made_png(1, 1, 16, 4, line);
  ImageReading reading = kWhite;
  reading.deep = Deep::kRound;
  CHECK(levels(decode_image(png, "x.png", reading)) == std::vector<std::int64_t>{std::lround(level / 257)});
  reading.deep = Deep::kKeep;
  CHECK_THAT(decode_image(png, "x.png", reading).item<double>(), Catch::Matchers::WithinAbs(level / 32767.5 - 1, 1e-7));
}

#ifdef EDMUND_WEBP
namespace {

std::string webp_bytes(const Tensor& image, bool alpha) {  // lossless, of [C, H, W]
  const Tensor pixels = image.permute({1, 2, 0}).contiguous();
  std::uint8_t* out = nullptr;
  const int width = static_cast<int>(image.size(2)), height = static_cast<int>(image.size(1));
  const auto* from = pixels.const_data_ptr<std::uint8_t>();
  const std::size_t size = alpha ? WebPEncodeLosslessRGBA(from, width, height, 4 * width, &out)
                                 : WebPEncodeLosslessRGB(from, width, height, 3 * width, &out);
  std::string bytes(reinterpret_cast<char*>(out), size);
  WebPFree(out);
  return bytes;
}

}  // namespace

TEST_CASE("a lossless WebP gives its pixels", "[data]") {
  const Tensor image = picture(3, 11, 6);
  const std::string bytes = webp_bytes(image, false);
  CHECK(decode_image(bytes, "x.webp").equal(image));
  CHECK(image_header(bytes, "x.webp").width == 6);
}

TEST_CASE("a WebP with alpha needs a background", "[data]") {
  Tensor image = picture(4, 2, 2);
  image[3].fill_(255);
  image[3][0][0] = 0;
  const std::string bytes = webp_bytes(image, true);
  CHECK(contains(error_of([&] { decode_image(bytes, "x.webp"); }), "x.webp: WebP with an alpha channel"));
  const Tensor read = decode_image(bytes, "x.webp", kWhite);
  CHECK(levels(read.select(1, 0).select(1, 0)) == std::vector<std::int64_t>{255, 255, 255});
  CHECK(read.select(1, 1).equal(image.narrow(0, 0, 3).select(1, 1)));
}

TEST_CASE("a WebP that ends anywhere before its end is refused in one line", "[data]") {
  const std::string bytes = webp_bytes(picture(3, 9, 9), false);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    INFO("first " << length << " bytes");
    const auto message = error_of([&] { decode_image(bytes.substr(0, length), "x.webp"); });
    CHECK(message.starts_with("x.webp: "));
    CHECK_FALSE(contains(message, "\n"));
  }
}

TEST_CASE("a changed byte in a WebP is refused or decoded, with the promised size", "[data]") {
  const std::string bytes = webp_bytes(picture(3, 9, 9), false);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x15);
    Tensor image;
    const auto message = error_of([&] { image = decode_image(damaged, "x.webp"); });
    CHECK((image.defined() || message.starts_with("x.webp: ")));
  }
}
#endif
