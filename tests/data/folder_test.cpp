#include "data/helpers.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"

#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

TEST_CASE("sub-folders are classes, images stand in the order of their names", "[data]") {
  const TemporaryFolder folder;
  folder.write("dog/2.png", png_bytes(picture(3, 4, 4, 2)));
  folder.write("dog/1.PNG", png_bytes(picture(3, 4, 4, 1)));
  folder.write("cat/deep/9.jpeg", jpeg_bytes(at::full({3, 4, 4}, 77, at::kByte)));
  folder.write("cat-like/0.png", png_bytes(picture(3, 4, 4, 3)));
  folder.write("dog/notes.txt", "left out");
  folder.write("dog/.hidden.png", "left out");
  const auto images = dataset_of(format("{type: folder, root: {}}", folder.path().string()));
  CHECK(images->info().class_names == std::vector<std::string>{"cat", "cat-like", "dog"});
  CHECK(images->info().size == 4);
  CHECK(labels_of(*images) == std::vector<std::int64_t>{1, 0, 2, 2});  // "cat-like/" < "cat/"
  CHECK(image_of(*images, 2).equal(picture(3, 4, 4, 1)));
  CHECK((image_of(*images, 1).to(at::kInt) - 77).abs().max().item<int>() <= 1);
}

TEST_CASE("a folder without sub-folders has no classes, and a link to one is followed", "[data]") {
  const TemporaryFolder folder, elsewhere;
  elsewhere.write("b.png", png_bytes(picture(1, 3, 5, 1)));
  elsewhere.write("a.png", png_bytes(picture(1, 3, 5, 0)));
  std::filesystem::create_directory_symlink(elsewhere.path(), folder.path() / "linked");
  const auto plain = dataset_of(format("{type: folder, root: {}}", folder / "linked"));
  CHECK(plain->info().num_classes == 0);
  CHECK(plain->info().height == 3);
  CHECK(plain->info().width == 5);
  CHECK(image_of(*plain, 1).equal(picture(1, 3, 5, 1)));
  const auto linked = dataset_of(format("{type: folder, root: {}}", folder.path().string()));
  CHECK(linked->info().class_names == std::vector<std::string>{"linked"});
}

TEST_CASE("a JPEG header behind a large color profile is found", "[data]") {
  const TemporaryFolder folder;
  const std::string jpeg = jpeg_bytes(picture(3, 8, 8));
  // APP2 of 65,535 bytes
  const std::string profile = "\xff\xe2" + std::string("\xff\xff") + std::string(65533, 'x');
  folder.write("x.jpg", jpeg.substr(0, 2) + profile + profile + jpeg.substr(2));
  CHECK(dataset_of(format("{type: folder, root: {}}", folder.path().string()))->info().width == 8);
}

TEST_CASE("an image that changes after the data set was opened is reported by name", "[data]") {
  const TemporaryFolder folder;
  const auto file = folder.write("x.png", png_bytes(picture(1, 4, 4)));
  const auto images = dataset_of(format("{type: folder, root: {}}", folder.path().string()));
  folder.write("x.png", png_bytes(picture(1, 4, 5)));
  const auto message = error_of([&] { image_of(*images, 0); });
  CHECK(contains(message, file));
  CHECK(contains(message, "has changed"));
}
