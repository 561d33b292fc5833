#include "data/helpers.h"
#include "support/catch.h"

#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

namespace {

// Row r of a made-up file: pixel i is (r + i) mod 17, the class r mod 10.
std::string csv(std::int64_t rows) {
  std::string text;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < 64; ++i) text += format("{},", (r + i) % 17);
    text += format("{}\n", r % 10);
  }
  return text;
}

}  // namespace

TEST_CASE("digits scale 0..16 to 0..255", "[data]") {
  const TemporaryFolder folder;
  folder.write("digits.csv.gz", gzipped(csv(20)));
  const auto digits = dataset_of(format("{type: digits, split: all, root: {}}", folder.path().string()));
  const auto info = digits->info();
  CHECK(info.name == "digits all");
  CHECK(info.size == 20);
  CHECK(info.num_classes == 10);
  CHECK(info.class_names.at(3) == "3");
  const Tensor image = image_of(*digits, 5);
  REQUIRE(image.sizes() == at::IntArrayRef({1, 8, 8}));
  for (std::int64_t i = 0; i < 64; ++i) {
    const double exact = static_cast<double>((5 + i) % 17) * 255.0 / 16.0;
    CHECK(std::abs(image.flatten()[i].item<double>() - exact) <= 0.5);
  }
  CHECK(labels_of(*digits).at(17) == 7);
}

TEST_CASE("the test digits are every fifth of each class, and train is the rest", "[data]") {
  const TemporaryFolder folder;
  folder.write("digits.csv.gz", csv(137));  // plain text under the same name is read too
  const auto part = [&](std::string_view split) {
    return dataset_of(format("{type: digits, split: {}, root: {}}", split, folder.path().string()));
  };
  const auto train = part("train"), test = part("test");
  // 13 images of classes 7, 8, 9 and 14 of the others: the 5th and 10th of each.
  CHECK(test->info().size == 20);
  CHECK(train->info().size == 117);
  const auto all = part("all");
  for (std::int64_t i = 0; i < 10; ++i) {
    CHECK(image_of(*test, i).equal(image_of(*all, 40 + i)));
    CHECK(image_of(*test, 10 + i).equal(image_of(*all, 90 + i)));
  }
  CHECK(image_of(*train, 39).equal(image_of(*all, 39)));
  CHECK(image_of(*train, 40).equal(image_of(*all, 50)));
}

TEST_CASE("the digits that scripts/setup brings are the published 1,797", "[data]") {
  const auto digits = dataset_of("{type: digits, split: all}");
  CHECK(digits->info().size == 1797);
  std::vector<std::int64_t> counts(10);
  for (const auto label : labels_of(*digits)) ++counts.at(static_cast<std::size_t>(label));
  CHECK(counts ==
        // UCI's optdigits.names
        std::vector<std::int64_t>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180});
  CHECK(dataset_of("{type: digits, split: test}")->info().size == 355);
  CHECK(dataset_of("{type: digits}")->info().size == 1442);
}
