#include "edmund/data/dataset_archive.h"

#include "data/helpers.h"
#include "edmund/archives/zip_archive.h"
#include "edmund/core/files.h"
#include "edmund/core/stop.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <memory>

using namespace edmund;
using namespace edmund::testing;
namespace fs = std::filesystem;

namespace {

// 200 pictures of 2 classes.
ImageSource pictures(std::int64_t count = 200) {
  std::vector<Tensor> images;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) images.push_back(picture(3, 8, 8, i)), labels.push_back(i % 2);
  ImageSource out = stored("pictures", at::stack(images), "memory");
  out.num_classes = 2;
  out.labels = labels;
  return out;
}

Tensor values(const std::vector<std::vector<std::int64_t>>& rows) {
  std::vector<Tensor> out;
  for (const auto& row : rows) out.push_back(at::tensor(row));
  return at::stack(out).to(at::kByte).unsqueeze(0);
}

// ((37 y² + 11 x³ + 5 x y) mod 251), 9x7
Tensor pattern() {
  const Tensor y = at::arange(7).view({7, 1}), x = at::arange(9).view({1, 9});
  return (37 * y * y + 11 * x * x * x + 5 * x * y).remainder(251).to(at::kByte).unsqueeze(0);
}

}  // namespace

TEST_CASE("an archive is read back bit for bit, with its classes", "[data]") {
  const TemporaryFolder folder;
  const ImageSource source = pictures();
  const auto written = write_archive(source, {}, folder / "set.zip");
  CHECK(written.images == 200);
  CHECK_FALSE(fs::exists(folder / ".unfinished"));
  const auto set = dataset_of(format("{type: edm-zip, root: {}}", folder / "set.zip"));
  REQUIRE(set->info().size == 200);
  CHECK(labels_of(*set) == source.labels);
  for (std::int64_t i = 0; i < 200; i += 37) CHECK(image_of(*set, i).equal(source.image(i)));
}

TEST_CASE("names and dataset.json are those of dataset_tool, byte for byte", "[data]") {
  const TemporaryFolder folder;
  write_archive(selected(pictures(), {0, 1, 3}), {}, folder / "set.zip");
  const ZipArchive archive(folder / "set.zip");
  std::vector<std::string> names;
  for (const auto& entry : archive.entries()) {
    names.push_back(entry.name);
    CHECK(entry.stored);
  }
  CHECK(names == std::vector<std::string>{"00000/img00000000.png", "00000/img00000001.png", "00000/img00000002.png",
                                          "dataset.json"});
  CHECK(archive.read(archive.entries().back(), 1000) ==
        R"({"labels": [["00000/img00000000.png", 0], ["00000/img00000001.png", 1], ["00000/img00000002.png", 1]]})");
  ImageSource unlabeled = pictures();
  unlabeled.labels.clear();
  unlabeled.num_classes = 0;
  write_archive(unlabeled, {}, folder / "none.zip");
  const ZipArchive none(folder / "none.zip");
  CHECK(none.read(none.entries().back(), 1000) == R"({"labels": null})");
}

TEST_CASE("an interrupted writing goes on to the same archive, and is no archive until then", "[data]") {
  const TemporaryFolder folder;
  const ImageSource source = pictures();
  write_archive(source, {}, folder / "whole.zip");
  for (const std::int64_t last : {0, 100, 199}) {
    INFO("interrupted at " << last);
    const std::string file = folder / format("often{}.zip", last);
    ImageSource broken = source;
    const auto reached = std::make_shared<bool>(false);
    broken.image = [=](std::int64_t i) {
      if (i == last && !*reached) {
        *reached = true;
        throw Interrupted("stopped");
      }
      return source.image(i);
    };
    CHECK_THROWS_AS(write_archive(broken, {}, file), Interrupted);
    CHECK_FALSE(fs::exists(file));
    write_archive(broken, {}, file);
    CHECK(read_file(file) == read_file(folder / "whole.zip"));
  }
}

// By Pillow 13.0.0: Image.resize of the pattern.
TEST_CASE("images are scaled as Pillow scales them", "[data]") {
  CHECK(transformed(pattern(), {.width = 4, .height = 3})
            .equal(values({{54, 97, 128, 111}, {128, 155, 80, 145}, {140, 158, 134, 142}})));
  CHECK(transformed(pattern(), {.width = 12, .height = 10})
            .equal(values({{1, 1, 44, 76, 36, 168, 204, 104, 114, 30, 33, 110},
                           {7, 1, 68, 130, 67, 61, 119, 171, 175, 56, 67, 171},
                           {70, 80, 90, 108, 144, 40, 51, 182, 181, 131, 140, 183},
                           {142, 182, 90, 15, 202, 195, 98, 67, 66, 193, 186, 80},
                           {111, 132, 126, 125, 187, 164, 80, 20, 21, 171, 165, 44},
                           {67, 63, 157, 255, 202, 118, 54, 20, 22, 174, 171, 51},
                           {94, 103, 162, 215, 197, 154, 99, 59, 67, 201, 203, 103},
                           {163, 202, 164, 55, 39, 166, 210, 150, 175, 148, 169, 221},
                           {129, 162, 163, 116, 102, 172, 184, 142, 173, 78, 110, 229},
                           {66, 77, 163, 253, 241, 175, 107, 91, 118, 53, 85, 179}})));
}

TEST_CASE("crops are the centered square, a band on black, or ADM's", "[data]") {
  const Tensor image = picture(1, 10, 16);
  const auto square = transformed(image, {.transform = Transform::kCenterCrop, .width = 10, .height = 10});
  CHECK(square.equal(image.narrow(2, 3, 10).expand({3, 10, 10})));
  const auto wide = transformed(image, {.transform = Transform::kCenterCropWide, .width = 16, .height = 10});
  REQUIRE(wide.sizes() == at::IntArrayRef({3, 16, 16}));
  CHECK(wide.narrow(1, 3, 10).equal(image.expand({3, 10, 16})));
  CHECK(wide.narrow(1, 0, 3).sum().item<std::int64_t>() == 0);
  CHECK(wide.narrow(1, 13, 3).sum().item<std::int64_t>() == 0);
  CHECK_FALSE(transformed(image, {.transform = Transform::kCenterCropWide, .width = 17, .height = 10}).defined());
  // twice the size: means of 2x2 pixels, along the lines first, each rounded
  const Tensor large = picture(3, 20, 24);
  const auto adm = transformed(large, {.transform = Transform::kCenterCropDhariwal, .width = 10, .height = 10});
  const Tensor half = large.to(at::kLong);
  const Tensor lines = (half.slice(2, 0, 24, 2) + half.slice(2, 1, 24, 2) + 1).floor_divide(2);
  const Tensor means = (lines.slice(1, 0, 20, 2) + lines.slice(1, 1, 20, 2) + 1).floor_divide(2);
  CHECK(adm.to(at::kLong).equal(means.narrow(2, 1, 10)));
}

TEST_CASE("images that are too small for a wide crop leave a gap in the names", "[data]") {
  const TemporaryFolder folder;
  ImageSource mixed = pictures(3);
  mixed.image = [](std::int64_t i) { return i == 1 ? picture(3, 4, 4) : picture(3, 8, 8, i); };
  mixed.header = [](std::int64_t i) {
    return ImageHeader{.width = i == 1 ? 4 : 8, .height = i == 1 ? 4 : 8, .channels = 3};
  };
  const auto written =
      write_archive(mixed, {.transform = Transform::kCenterCropWide, .width = 8, .height = 6}, folder / "set.zip");
  CHECK(written.images == 2);
  CHECK(written.left_out == 1);
  const ZipArchive archive(folder / "set.zip");
  CHECK(archive.entries()[1].name == "00000/img00000002.png");
}

TEST_CASE("what cannot be one archive is refused before anything is written", "[data]") {
  const TemporaryFolder folder;
  ImageSource mixed = pictures(3);
  mixed.header = [](std::int64_t i) { return ImageHeader{.width = i == 1 ? 4 : 8, .height = 8, .channels = 3}; };
  const auto told = [&](const ImageSource& source, const ArchiveSettings& settings) {
    return error_of([&] { write_archive(source, settings, folder / "set.zip"); });
  };
  CHECK(contains(told(mixed, {}), "image 1: 4x8 pixels of 3 channels, but memory: image 0 has 8x8"));
  CHECK(contains(told(pictures(3), {.transform = Transform::kCenterCrop}), "--resolution"));
  CHECK(contains(told(pictures(3), {.transform = Transform::kCenterCropWide, .width = 4, .height = 8}), "width"));
  CHECK(contains(error_of([] { transform_of("centre-crop"); }), "did you mean 'center-crop'"));
  CHECK(fs::is_empty(folder.path()));
}
