#include "edmund/io/image_io.h"

#include "support/catch.h"
#include "support/file_formats.h"
#include "support/temporary_folder.h"

#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

TEST_CASE("a PNG made by hand is read as its scanlines say, in RGB order", "[data]") {
  // 2x2 RGB, filter type 0 before each line: red, green / blue, (1, 2, 3).
  const std::string lines(
      "\0\xff\0\0\0\xff\0"
      "\0\0\0\xff\1\2\3",
      14);
  const Tensor image = decode_image(hand_made_png(2, 2, 8, 2, lines), "hand.png");
  const std::vector<std::int64_t> expected = {255, 0, 0, 1, 0, 255, 0, 2, 0, 0, 255, 3};
  REQUIRE(image.sizes() == at::IntArrayRef({3, 2, 2}));
  CHECK(image.flatten().to(at::kLong).equal(at::tensor(expected)));
}

TEST_CASE("grey, few-bit and palette PNG are read as 8-bit grey or RGB", "[data]") {
  const Tensor grey = decode_image(hand_made_png(2, 1, 8, 0, std::string("\0\x10\xf0", 3)), "grey.png");
  CHECK(grey.flatten().to(at::kLong).equal(at::tensor(std::vector<std::int64_t>{0x10, 0xf0})));
  // 0101
  const Tensor bits = decode_image(hand_made_png(4, 1, 1, 0, std::string("\0\x50", 2)), "bits.png");
  CHECK(bits.flatten().to(at::kLong).equal(at::tensor(std::vector<std::int64_t>{0, 255, 0, 255})));
  const std::string palette = png_chunk("PLTE", "\1\2\3\4\5\6");
  const Tensor colors = decode_image(hand_made_png(2, 1, 8, 3, std::string("\0\1\0", 3), palette), "palette.png");
  CHECK(colors.flatten().to(at::kLong).equal(at::tensor(std::vector<std::int64_t>{4, 1, 5, 2, 6, 3})));
}

TEST_CASE("an interlaced PNG is read as a plain one", "[data]") {
  // Adam7 of 4x1: pass 1 has pixel 0, pass 4 pixel 2, pass 6 pixels 1 and 3.
  const Tensor image = decode_image(hand_made_png(4, 1, 8, 0, std::string("\0\1\0\3\0\2\4", 7), "", 1), "x.png");
  CHECK(image.flatten().to(at::kLong).equal(at::tensor(std::vector<std::int64_t>{1, 2, 3, 4})));
}

TEST_CASE("levels are read as stored: gamma changes nothing", "[data]") {
  // 1.0: linear light
  const std::string line("\0\x10\xf0", 3), gamma = png_chunk("gAMA", big_endian(100000));
  CHECK(decode_image(hand_made_png(2, 1, 8, 0, line, gamma), "x.png")
            .equal(decode_image(hand_made_png(2, 1, 8, 0, line), "x.png")));
}

TEST_CASE("PNG bytes read back as the same pixels", "[data]") {
  const auto channels = GENERATE(1, 3);
  const Tensor image = picture(channels, 13, 7);
  const std::string bytes = png_bytes(image);
  CHECK(decode_image(bytes, "x.png").equal(image));
  const auto header = image_header(bytes, "x.png");
  CHECK(header.width == 7);
  CHECK(header.height == 13);
  CHECK(header.channels == channels);
}

TEST_CASE("a PNG file is written and read", "[data]") {
  const TemporaryFolder folder;
  const Tensor image = picture(3, 5, 9);
  write_png(folder / "deep/x.png", image.flip(2));  // not contiguous
  CHECK(read_image(folder / "deep/x.png").equal(image.flip(2)));
}

TEST_CASE("a JPEG, baseline or progressive, reads back near its pixels", "[data]") {
  const auto progressive = GENERATE(false, true);
  // Smooth and nearly grey, so that JPEG's halved color planes lose little: red, green and blue
  // differ by 40.
  const Tensor ramp = at::arange(0, 32, at::kFloat).view({1, 1, 32}).expand({1, 24, 32}) * 4;
  const Tensor image = at::cat({ramp + 80, ramp + 40, ramp}).to(at::kByte);
  const std::string bytes = jpeg_bytes(image, progressive);
  const auto header = image_header(bytes, "x.jpg");
  CHECK(header.width == 32);
  CHECK(header.height == 24);
  CHECK(header.channels == 3);
  const Tensor difference = (decode_image(bytes, "x.jpg").to(at::kFloat) - image.to(at::kFloat)).abs();
  CHECK(difference.max().item<double>() <= 8);  // a swap of red and blue would be off by 80
  CHECK(image_header(jpeg_bytes(image.narrow(0, 0, 1)), "grey.jpg").channels == 1);
}
