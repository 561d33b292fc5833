// Where the stored rows and columns of an image lie when it is looked at, by EXIF's own words:
// "the 0th row is the visual … side of the image, the 0th column the visual … side".

#include "support/exif.h"

#include "edmund/io/image_io.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_formats.h"

#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

namespace {

enum Side { kTop, kBottom, kLeft, kRight };
struct Orientation {
  int value;
  Side row, column;  // where the 0th row and the 0th column are seen
};
constexpr Orientation kOrientations[] = {{1, kTop, kLeft},     {2, kTop, kRight},  {3, kBottom, kRight},
                                         {4, kBottom, kLeft},  {5, kLeft, kTop},   {6, kRight, kTop},
                                         {7, kRight, kBottom}, {8, kLeft, kBottom}};

// The image [C, H, W] as it is seen, pixel by pixel.
Tensor seen(const Tensor& stored, const Orientation& as) {
  const std::int64_t height = stored.size(1), width = stored.size(2);
  const bool upright = as.row == kTop || as.row == kBottom;
  Tensor out = at::zeros({stored.size(0), upright ? height : width, upright ? width : height}, at::kByte);
  for (std::int64_t r = 0; r < height; ++r)
    for (std::int64_t c = 0; c < width; ++c) {
      std::int64_t y = 0, x = 0;
      const auto put = [&](Side side, std::int64_t distance) {
        if (side == kTop) y = distance;
        if (side == kBottom) y = out.size(1) - 1 - distance;
        if (side == kLeft) x = distance;
        if (side == kRight) x = out.size(2) - 1 - distance;
      };
      put(as.row, r);
      put(as.column, c);
      out.select(1, y).select(1, x).copy_(stored.select(1, r).select(1, c));
    }
  return out;
}

std::string png_with(const std::string& png, const std::string& chunk) {
  return png.substr(0, 33) + chunk + png.substr(33);
}

}  // namespace

TEST_CASE("a PNG is turned by its EXIF orientation, and its header tells the turned size", "[data]") {
  const Orientation as = GENERATE(from_range(kOrientations));
  const bool big = GENERATE(true, false);
  INFO(as.value);
  const Tensor stored = picture(3, 5, 7), expected = seen(stored, as);
  const std::string png = png_with(png_bytes(stored), png_chunk("eXIf", exif_bytes(as.value, big)));
  CHECK(decode_image(png, "x.png").equal(expected));
  const auto header = image_header(png, "x.png");
  CHECK(header.height == expected.size(1));
  CHECK(header.width == expected.size(2));
}

TEST_CASE("a JPEG is turned by its EXIF orientation, and its header tells the turned size", "[data]") {
  const Orientation as = GENERATE(from_range(kOrientations));
  const bool progressive = GENERATE(false, true);
  INFO(as.value);
  const std::string jpeg = jpeg_bytes(picture(3, 9, 17), progressive),
                    turned = with_exif(jpeg, exif_bytes(as.value, !progressive));
  const Tensor expected = seen(decode_image(jpeg, "x.jpg"), as);
  CHECK(decode_image(turned, "x.jpg").equal(expected));
  const auto header = image_header(turned, "x.jpg");
  CHECK(header.height == expected.size(1));
  CHECK(header.width == expected.size(2));
}

TEST_CASE("EXIF data that makes no sense turns nothing", "[data]") {
  const Tensor stored = picture(3, 5, 7);
  const std::string good = exif_bytes(6);
  std::vector<std::string> exifs = {"", "no TIFF at all", exif_bytes(0), exif_bytes(9), exif_bytes(300)};
  // entry 2 ends at 34
  for (std::size_t length = 0; length < 30; ++length) exifs.push_back(good.substr(0, length));
  // a directory beyond the end
  exifs.push_back("MM" + std::string("\0\x2a\xff\xff\xff\xff", 6) + good.substr(8));
  for (const auto& exif : exifs) {
    INFO(exif.size());
    CHECK(decode_image(png_with(png_bytes(stored), png_chunk("eXIf", exif)), "x.png").equal(stored));
    const std::string jpeg = jpeg_bytes(stored);
    CHECK(decode_image(with_exif(jpeg, exif), "x.jpg").equal(decode_image(jpeg, "x.jpg")));
  }
}

TEST_CASE("a PNG whose orientation stands behind its pixels is refused, upright ones are read", "[data]") {
  const Tensor stored = picture(1, 3, 4);
  const std::string png = png_bytes(stored), body = png.substr(0, png.size() - 12), end = png.substr(png.size() - 12);
  CHECK(decode_image(body + png_chunk("eXIf", exif_bytes(1)) + end, "x.png").equal(stored));
  const std::string turned = body + png_chunk("eXIf", exif_bytes(6)) + end;
  CHECK(
      contains(error_of([&] { decode_image(turned, "x.png"); }), "x.png: PNG whose orientation (EXIF) stands behind"));
}
