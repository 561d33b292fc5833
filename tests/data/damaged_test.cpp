// Damaged and turned images through every data set that decodes files.

#include "data/helpers.h"
#include "edmund/core/log.h"
#include "edmund/data/image_check.h"
#include "edmund/data/resize.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"
#include "support/exif.h"

#include <array>
#include <ATen/ATen.h>
#include <functional>
#include <map>

using namespace edmund;
using namespace edmund::testing;

namespace {

// How a data set is made of image files: a name, and from the files to the config's first keys.
struct Loader {
  std::string name;
  std::function<std::string(const TemporaryFolder&, const Files&)> write;
};

std::string folder_of(const TemporaryFolder& folder, const Files& files) {
  for (const auto& [name, bytes] : files) folder.write("data/" + name, bytes);
  return folder / "data";
}

std::vector<Loader> loaders() {
  return {{"folder",
           [](const auto& folder, const auto& files) { return "type: folder\nroot: " + folder_of(folder, files); }},
          {"edm-zip of a folder",
           [](const auto& folder, const auto& files) { return "type: edm-zip\nroot: " + folder_of(folder, files); }},
          {"edm-zip",
           [](const auto& folder, const auto& files) {
             return "type: edm-zip\nroot: " + folder.write("data.zip", zip_bytes(folder, files));
           }},
          {"edm-zip with a top folder", [](const auto& folder, const auto& files) {
             Files deeper = {{"top/dataset.json", R"({"labels": null})"}};
             for (const auto& [name, bytes] : files) deeper.emplace_back("top/" + name, bytes);
             return "type: edm-zip\nroot: " + folder.write("data.zip", zip_bytes(folder, deeper));
           }}};
}

const std::string kPng = png_bytes(picture(3, 64, 64)), kJpeg = jpeg_bytes(picture(3, 64, 64));
const std::string kEnd = "\xff\xd9";

// Images that cannot be read, with what is said of them; all begin with a sound header or not.
struct Damage {
  std::string name, bytes, said;
};
std::vector<Damage> damages() {
  std::string checksum = kPng;
  checksum[checksum.size() / 2] = static_cast<char>(checksum[checksum.size() / 2] ^ 1);
  return {{"checksum.png", checksum, "wrong checksum"},
          {"cut.png", kPng.substr(0, kPng.size() - 20), "cut short"},
          {"empty.png", "", "cut short after 0 bytes"},
          {"half.jpg", kJpeg.substr(0, kJpeg.size() / 2) + kEnd, "cannot be decoded"},
          {"text.png", "this is no image at all", "neither a PNG nor a JPEG"},
          {"transparent.png", hand_made_png(3, 1, 8, 0, std::string("\0\1\2\3", 4), png_chunk("tRNS", "\1\1")),
           "transparent colors"}};
}

}  // namespace

TEST_CASE("orientation of EXIF reaches every data set, before sizes are compared", "[data]") {
  const TemporaryFolder folder;
  const std::string lying = jpeg_bytes(picture(3, 24, 32)), turned = with_exif(lying, exif_bytes(6));
  for (const Loader& loader : loaders()) {
    INFO(loader.name);
    const TemporaryFolder own;
    const auto set = dataset_of(loader.write(own, {{"0.jpg", turned}, {"1.jpg", turned}}));
    CHECK(set->info().height == 32);
    CHECK(set->info().width == 24);
    CHECK(image_of(*set, 1).equal(decode_image(lying, "x").transpose(1, 2).flip(2)));
    const TemporaryFolder mixed;
    const std::string config = loader.write(mixed, {{"0.jpg", turned}, {"1.jpg", lying}});
    CHECK(contains(error_of([&] { dataset_of(config); }), "32x24 pixels of 3 channels"));
    CHECK(image_of(*dataset_of(config + "\nsize: 16\nresize: bicubic"), 0)
              .equal(resized(decode_image(turned, "x"), 16, 16, "bicubic")));
  }
}

TEST_CASE("one damaged image is named before it is trained on, by every data set", "[data]") {
  for (const Loader& loader : loaders())
    for (const Damage& damage : damages()) {
      INFO(loader.name << ": " << damage.name);
      const TemporaryFolder folder;
      const auto config = loader.write(folder, {{"a.png", kPng}, {damage.name, damage.bytes}});
      const auto message = error_of([&] { require_whole(examined(*dataset_of(config))); });
      CHECK(contains(message, damage.name + ": "));
      CHECK(contains(message, damage.said));
      CHECK_FALSE(contains(message, "\n"));
    }
}

TEST_CASE("damaged images are left out where that is asked for, by every data set", "[data]") {
  for (const Loader& loader : loaders()) {
    INFO(loader.name);
    const TemporaryFolder folder;
    Files files = {{"a.png", kPng}, {"z.png", png_bytes(picture(3, 64, 64, 1))}};
    for (const Damage& damage : damages()) files.emplace_back(damage.name, damage.bytes);
    const auto config = loader.write(folder, files);
    CHECK_FALSE(error_of([&] { require_whole(examined(*dataset_of(config))); }).empty());
    const auto set = dataset_of(config + "\ndamaged: skip");
    REQUIRE(set->info().size == 2);
    CHECK(image_of(*set, 0).equal(picture(3, 64, 64)));
    CHECK(image_of(*set, 1).equal(picture(3, 64, 64, 1)));
    CHECK(examined(*set).images == 2);
  }
}

TEST_CASE("a set of damaged images alone is refused, skipped or not", "[data]") {
  const TemporaryFolder folder;
  const auto config = loaders()[0].write(folder, {{"a.png", "no image"}, {"b.png", "no image"}});
  CHECK(contains(error_of([&] { dataset_of(config); }), "2 of 2 images cannot be read"));
  CHECK(contains(error_of([&] { dataset_of(config + "\ndamaged: skip"); }), "none of its 2 images can be read"));
}

TEST_CASE("the first ten damaged images are named, and all are counted", "[data]") {
  const TemporaryFolder folder;
  const bool early = GENERATE(true, false);  // found by the header, or by decoding
  Files files = {{"a.png", kPng}};
  for (int i = 10; i < 22; ++i) files.emplace_back(format("{}.png", i), early ? "no image" : kPng.substr(0, 200));
  const auto config = loaders()[0].write(folder, files);
  const auto message = error_of([&] { require_whole(examined(*dataset_of(config))); });
  INFO(message);
  CHECK(contains(message, "12 of 13 images cannot be read: "));
  CHECK(contains(message, "/10.png: "));
  CHECK(contains(message, "/19.png: "));
  CHECK_FALSE(contains(message, "/20.png: "));
  CHECK(contains(message, "; and 2 more; `data.damaged: skip` leaves them out"));
}

TEST_CASE("a check ends when its time is over, and says how far it came", "[data]") {
  const TemporaryFolder folder;
  Files files;
  for (int i = 100; i < 400; ++i) files.emplace_back(format("{}.png", i), png_bytes(picture(1, 4, 4, i)));
  const auto set = dataset_of(loaders()[0].write(folder, files));
  CHECK(examined(*set, 0.0).images == 0);
  CHECK(examined(*set, 60.0).images == 300);
  CHECK(examined(*set).images == 300);
}

TEST_CASE("images that stand twice are named, whatever their files; so are classes without images", "[data]") {
  const TemporaryFolder folder;
  const Tensor same = picture(3, 8, 8, 1);
  folder.write("cats/0.png", png_bytes(picture(3, 8, 8, 0)));
  folder.write("cats/1.png", png_bytes(same));
  folder.write("dogs/2.png", hand_made_png(8, 8, 8, 2, [&] {
                 std::string lines;
                 const Tensor pixels = same.permute({1, 2, 0}).contiguous();
                 for (std::int64_t y = 0; y < 8; ++y)
                   lines +=
                       '\0' +
                       std::string(reinterpret_cast<const char*>(pixels.const_data_ptr<std::uint8_t>()) + 24 * y, 24);
                 return lines;
               }()));
  folder.write("dogs/3.png", png_bytes(picture(3, 8, 8, 3)));
  const auto set = dataset_of(format("{type: folder, root: {}}", folder.path().string()));
  const Examination found = examined(*set);
  CHECK(found.images == 4);
  CHECK(found.twins == std::vector<std::pair<std::int64_t, std::int64_t>>{{2, 1}});
  CHECK((found.shapes == std::map<std::array<std::int64_t, 3>, std::int64_t>{{{3, 8, 8}, 4}}));
  DatasetInfo info = set->info();
  const auto lines = remarks(found, info, [&](std::int64_t i) { return set->file(i); });
  REQUIRE(lines.size() == 1);
  CHECK(contains(lines[0], "1 of 4 images repeat earlier ones"));
  CHECK(contains(lines[0], "dogs/2.png is "));
  info.class_counts = {4, 0};
  const auto more = remarks(found, info, [&](std::int64_t i) { return set->file(i); });
  REQUIRE(more.size() == 2);
  CHECK(contains(more[1], "1 of 2 classes have no images (dogs)"));
}

TEST_CASE("sigma_data that is far from the images' standard deviation is told", "[data]") {
  CHECK(sigma_data_remark(0.5, 0.45).empty());
  CHECK(contains(sigma_data_remark(0.5, 0.3), "sigma_data is 0.5, but the images' standard deviation is 0.3"));
  CHECK_FALSE(sigma_data_remark(0.5, 0.0).empty());
}
