#include "edmund/data/dataset.h"

#include "data/helpers.h"
#include "edmund/data/resize.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <set>

using namespace edmund;
using namespace edmund::testing;

namespace {

// Grey images [8, 6, 6], and the config of a data set of them.
struct Eight {
  TemporaryFolder folder;
  Tensor images = picture(8, 6, 6);
  std::string config;

  Eight() {
    const auto* pixels = reinterpret_cast<const char*>(images.data_ptr<std::uint8_t>());
    const std::string data(pixels, static_cast<std::size_t>(images.numel()));
    config = "type: idx\nimages: " + folder.write("images", idx_bytes({8, 6, 6}, data)) +
             "\nlabels: " + folder.write("labels", idx_bytes({8}, std::string("\0\1\0\1\0\1\0\1", 8))) + "\n";
  }
};

}  // namespace

TEST_CASE("images are resized by the method that is asked for", "[data]") {
  const Eight set;
  const std::string method = GENERATE(as<std::string>{}, "area", "bilinear", "bicubic", "pad", "crop");
  const auto resized_set = dataset_of(set.config + "size: 12\nresize: " + method);
  CHECK(resized_set->info().height == 12);
  CHECK(resized_set->info().width == 12);
  for (std::int64_t i = 0; i < 8; ++i)
    CHECK(image_of(*resized_set, i).equal(resized(set.images[i].unsqueeze(0), 12, 12, method)));
}

TEST_CASE("the size that images have anyway needs no resizing", "[data]") {
  const Eight set;
  CHECK(image_of(*dataset_of(set.config + "size: 6"), 3).equal(set.images[3].unsqueeze(0)));
}

TEST_CASE("images of several sizes and kinds become one when that is asked for", "[data]") {
  const TemporaryFolder folder;
  folder.write("a.png", png_bytes(picture(3, 8, 8)));
  folder.write("b.png", png_bytes(picture(1, 4, 6)));
  const auto set =
      dataset_of(format("{type: folder, root: {}, size: 8, resize: pad, channels: 3}", folder.path().string()));
  CHECK(image_of(*set, 0).equal(picture(3, 8, 8)));
  const Tensor padded = resized(picture(1, 4, 6), 8, 8, "pad");
  CHECK(image_of(*set, 1).equal(padded.expand({3, 8, 8})));
}

TEST_CASE("grey images are repeated to RGB", "[data]") {
  const Eight set;
  const auto rgb = dataset_of(set.config + "channels: 3");
  CHECK(rgb->info().channels == 3);
  CHECK(read_all(*rgb).images.equal(set.images.unsqueeze(1).expand({8, 3, 6, 6})));
}

TEST_CASE("max_images chooses by seed and keeps the order and the labels", "[data]") {
  const Eight set;
  std::set<std::vector<std::int64_t>> choices;
  for (int seed = 0; seed < 5; ++seed) {
    const auto some = dataset_of(set.config + format("max_images: 3\nchoice_seed: {}", seed));
    REQUIRE(some->info().size == 3);
    std::vector<std::int64_t> which;
    for (std::int64_t i = 0; i < 3; ++i)
      for (std::int64_t j = 0; j < 8; ++j)
        if (image_of(*some, i).equal(set.images[j].unsqueeze(0))) which.push_back(j);
    REQUIRE(which.size() == 3);
    CHECK(which[0] < which[1]);
    CHECK(which[1] < which[2]);
    for (std::size_t i = 0; i < 3; ++i) CHECK(labels_of(*some)[i] == which[i] % 2);
    choices.insert(which);
  }
  CHECK(choices.size() > 1);
  CHECK(dataset_of(set.config + "max_images: 100")->info().size == 8);
}

TEST_CASE("generic data sets split by class: every fifth is for testing", "[data]") {
  const TemporaryFolder folder;
  // the 5th of class 0 is at 5, of class 1 at 9
  const std::string labels("\0\0\0\0\1\0\1\1\1\1\0\0", 12);
  const auto config = format("type: idx\nimages: {}\nlabels: {}\nsplit: ",
                             folder.write("i", idx_bytes({12, 1, 1}, std::string("\0\1\2\3\4\5\6\7\10\11\12\13", 12))),
                             folder.write("l", idx_bytes({12}, labels)));
  const auto pixels = [](const Dataset& set) {
    const Tensor values = read_all(set).images.flatten().to(at::kLong);
    return std::vector<std::int64_t>(values.data_ptr<std::int64_t>(), values.data_ptr<std::int64_t>() + values.numel());
  };
  CHECK(pixels(*dataset_of(config + "test")) == std::vector<std::int64_t>{5, 9});
  CHECK(pixels(*dataset_of(config + "train")) == std::vector<std::int64_t>{0, 1, 2, 3, 4, 6, 7, 8, 10, 11});
  CHECK(pixels(*dataset_of(config + "all")).size() == 12);
}

TEST_CASE("a subset gives the images and labels of its indices", "[data]") {
  const Eight set;
  const auto whole = dataset_of(set.config);
  const auto part = subset(*whole, {7, 2, 2}, "three");
  CHECK(part->info().name == "three");
  CHECK(part->info().size == 3);
  CHECK(part->info().num_classes == 2);
  CHECK(labels_of(*part) == std::vector<std::int64_t>{1, 0, 0});
  CHECK(image_of(*part, 0).equal(set.images[7].unsqueeze(0)));
  CHECK_THROWS_AS(subset(*whole, {8}, "beyond"), c10::Error);
}

TEST_CASE("read_all takes everything, or a choice that depends on the seed alone", "[data]") {
  const Eight set;
  const auto whole = dataset_of(set.config);
  CHECK(read_all(*whole).images.equal(set.images.unsqueeze(1)));
  CHECK(read_all(*whole, 4, 1).images.equal(read_all(*whole, 4, 1).images));
  CHECK_FALSE(read_all(*whole, 4, 1).images.equal(read_all(*whole, 4, 2).images));
  // more than are read at once
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < 5001; ++i) indices.push_back(i * i % 8);
  const auto many = subset(*whole, indices, "many");
  const Batch all = read_all(*many);
  const Tensor rows = at::tensor(indices);
  CHECK(all.images.equal(set.images.index_select(0, rows).unsqueeze(1)));
  CHECK(all.labels.equal(read_all(*whole).labels.index_select(0, rows)));
}

TEST_CASE("statistics are the mean and standard deviation of pixels in [-1, 1]", "[data]") {
  const Eight set;
  const auto whole = dataset_of(set.config);
  const Tensor pixels = set.images.to(at::kDouble) / 127.5 - 1;
  const auto found = statistics(*whole);
  CHECK(found.images == 8);
  CHECK_THAT(found.mean, Catch::Matchers::WithinAbs(pixels.mean().item<double>(), 1e-12));
  CHECK_THAT(found.std, Catch::Matchers::WithinAbs(pixels.std(false).item<double>(), 1e-12));
  CHECK(statistics(*whole, 3).images == 3);
}

TEST_CASE("the standard deviation of one flat image is exactly zero", "[data]") {
  const TemporaryFolder folder;
  folder.write("x.png", png_bytes(at::full({1, 2, 2}, 255, at::kByte)));
  const auto found = statistics(*dataset_of(format("{type: folder, root: {}}", folder.path().string())));
  CHECK(found.mean == 1.0);
  CHECK(found.std == 0.0);
}
