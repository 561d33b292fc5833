#include "edmund/ops/pixels.h"

#include "edmund/data/resize.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_formats.h"

#include <ATen/ATen.h>
#include <cmath>
#include <limits>

using namespace edmund;
using namespace edmund::testing;

TEST_CASE("to_uint8 inverts to_float on all levels", "[data]") {
  const Tensor levels = at::arange(256, at::kByte);
  CHECK(to_uint8(to_float(levels)).equal(levels));
  CHECK(to_uint8(to_float(levels).to(at::kDouble)).equal(levels));
  CHECK(to_float(levels).scalar_type() == at::kFloat);
  CHECK(to_float(levels)[0].item<float>() == -1.0f);
  CHECK(to_float(levels)[255].item<float>() == 1.0f);
}

TEST_CASE("to_uint8 truncates 127.5 x + 128 and cuts it", "[data]") {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> x = {-inf, -3, -1, 0, 0.5, 1, 1.5, inf, std::nan(""), 126.9 / 127.5};
  const std::vector<std::int64_t> expected = {0, 0, 0, 128, 191, 255, 255, 255, 0, 254};
  CHECK(to_uint8(at::tensor(x)).to(at::kLong).equal(at::tensor(expected)));
  CHECK(to_uint8(at::tensor(x).to(at::kBFloat16)).to(at::kLong)[3].item<std::int64_t>() == 128);
}

TEST_CASE("resizing by area takes means", "[data]") {
  const Tensor image = picture(3, 8, 12);
  const Tensor means = image.to(at::kFloat).view({3, 4, 2, 6, 2}).mean({2, 4});
  // rounding
  CHECK((resized(image, 4, 6, "area").to(at::kFloat) - means).abs().max().item<double>() <= 0.5);
}

TEST_CASE("bilinear resizing has half-pixel centers", "[data]") {
  const Tensor image = at::tensor(std::vector<std::int64_t>{0, 100}).to(at::kByte).view({1, 1, 2});
  const auto expected = at::tensor(std::vector<std::int64_t>{0, 25, 75, 100});
  CHECK(resized(image, 1, 4, "bilinear").flatten().to(at::kLong).equal(expected));
}

TEST_CASE("bicubic enlarging is Keys' kernel with a = -1/2", "[data]") {
  const Tensor image = (picture(1, 1, 8) / 4 + 90).to(at::kByte);  // away from the cut at 0 and 255
  const auto kernel = [](double d) {
    const double a = -0.5, x = std::abs(d);
    return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  };
  const Tensor large = resized(image.contiguous(), 1, 16, "bicubic");
  for (std::int64_t i = 4; i < 12; ++i) {
    const double at = (static_cast<double>(i) + 0.5) / 2 - 0.5;
    const auto first = static_cast<std::int64_t>(std::floor(at)) - 1;
    double value = 0;
    for (std::int64_t j = first; j < first + 4; ++j)
      value += kernel(at - static_cast<double>(j)) * image[0][0][j].item<double>();
    CHECK(std::abs(large[0][0][i].item<double>() - value) <= 0.51);  // rounding to a level
  }
}

TEST_CASE("shrinking takes out what smaller pixels cannot show", "[data]") {
  const std::string method = GENERATE(as<std::string>{}, "area", "bilinear", "bicubic", "crop");
  // Lines of one pixel, black and white: grey from afar. Taking some pixels would give stripes, or
  // one of the two.
  const Tensor stripes = (at::arange(96, at::kLong).remainder(2) * 255).to(at::kByte);
  const Tensor small = resized(stripes.view({1, 1, 96}).expand({1, 96, 96}), 12, 12, method).to(at::kInt);
  CHECK((small - 128).abs().max().item<int>() <= 5);
  // A plane keeps its level whatever the size.
  const Tensor flat = at::full({3, 37, 53}, 200, at::kByte);
  CHECK(resized(flat, 8, 11, method).eq(200).all().item<bool>());
}

TEST_CASE("pad centers an image on black", "[data]") {
  const Tensor image = picture(1, 28, 28);
  const Tensor padded = resized(image, 32, 32, "pad");
  CHECK(padded.narrow(1, 2, 28).narrow(2, 2, 28).equal(image));
  CHECK(padded.sum().item<std::int64_t>() == image.sum().item<std::int64_t>());
  CHECK(contains(error_of([&] { resized(image, 27, 32, "pad"); }), "28x28 pixels cannot be padded to 32x27"));
}

TEST_CASE("crop takes the largest centered box of the asked proportions", "[data]") {
  const Tensor wide = picture(3, 6, 10);
  CHECK(resized(wide, 6, 6, "crop").equal(wide.narrow(2, 2, 6)));
  CHECK(resized(wide, 3, 3, "crop").equal(resized(wide.narrow(2, 2, 6), 3, 3, "area")));
  const Tensor tall = picture(1, 9, 4);
  CHECK(resized(tall, 4, 4, "crop").equal(tall.narrow(1, 2, 4)));
  CHECK(resized(tall, 2, 4, "crop").sizes() == at::IntArrayRef({1, 2, 4}));
}

TEST_CASE("an unknown way to resize is refused with the known ones", "[data]") {
  CHECK(contains(error_of([] { resized(picture(1, 2, 2), 4, 4, "nearest"); }), "'nearest'; known: pad, area"));
}

TEST_CASE("image_grid puts images in rows, enlarged, with white between", "[data]") {
  const Tensor images = at::stack({picture(3, 2, 3, 0), picture(3, 2, 3, 1), picture(3, 2, 3, 2)});
  const Tensor plain = image_grid(images, 2);
  REQUIRE(plain.sizes() == at::IntArrayRef({3, 4, 6}));
  CHECK(plain.narrow(1, 0, 2).narrow(2, 3, 3).equal(images[1]));
  CHECK(plain.narrow(1, 2, 2).narrow(2, 0, 3).equal(images[2]));
  CHECK((plain.narrow(1, 2, 2).narrow(2, 3, 3) == 255).all().item<bool>());
  const Tensor wide = image_grid(images, 2, 2, 1);
  REQUIRE(wide.sizes() == at::IntArrayRef({3, 9, 13}));
  CHECK((wide.select(1, 4) == 255).all().item<bool>());
  CHECK((wide.select(2, 6) == 255).all().item<bool>());
  CHECK(wide[1][5][0].item<int>() == images[2][1][0][0].item<int>());
  CHECK(wide[1][8][5].item<int>() == images[2][1][1][2].item<int>());
  CHECK(image_grid(images, 8).sizes() == at::IntArrayRef({3, 2, 9}));
}
