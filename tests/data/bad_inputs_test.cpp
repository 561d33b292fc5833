// Bad files and options of data sets: one clear line each, which names the file.

#include "data/helpers.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"

#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

namespace {

// Checks that the config is refused in one line with these parts.
void check_refused(const std::string& yaml, std::initializer_list<std::string_view> parts) {
  const auto message = error_of([&] { dataset_of(yaml); });
  INFO(yaml << "\n" << message);
  CHECK(!message.empty());
  CHECK_FALSE(contains(message, "\n"));
  for (const auto part : parts) CHECK(contains(message, part));
}

std::string png(std::int64_t channels, std::int64_t height, std::int64_t width) {
  return png_bytes(picture(channels, height, width));
}

}  // namespace

TEST_CASE("bad IDX files are refused", "[data]") {
  const TemporaryFolder folder;
  const auto refused = [&](std::string_view bytes, std::string_view what) {
    const auto file = folder.write("x.idx", bytes);
    check_refused("{type: idx, images: " + file + "}", {file + ": ", what});
  };
  const std::string good = idx_bytes({2, 2, 2}, "12345678");
  refused("", "0 bytes; not an IDX file");
  refused("ab", "2 bytes; not an IDX file");
  refused(idx_bytes({8}, "12345678"), "magic number 2049, but an IDX file of images has 2051");
  refused(std::string("\0\0\x0d\3", 4) + good.substr(4), "magic number 3331");  // 32-bit reals
  refused(good.substr(0, 9), "ends within its header");
  refused(good.substr(0, 20), "4 bytes of data, but the header promises 8");
  refused(good + "9", "more data than the 8 bytes");
  refused(idx_bytes({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "12"), "size 4294967295 in dimension 1");
  refused(idx_bytes({2, 0, 2}, ""), "size 0 in dimension 1");
  refused(idx_bytes({1000000, 28, 28}, "12"), "2 bytes of data, but the header promises 784000000");
  const std::string packed = gzipped(idx_bytes({100, 8, 8}, std::string(6400, 'x')));
  refused(packed.substr(0, packed.size() / 2), "cut short");
  refused(packed.substr(0, packed.size() - 4), "cut short");
  std::string damaged = packed;
  damaged[packed.size() - 7] = static_cast<char>(damaged[packed.size() - 7] ^ 1);  // the checksum
  refused(damaged, "damaged (");
  refused(packed + "x", "other bytes follow the compressed data");
  refused(packed + packed, "more data than the 6400 bytes");  // two streams are one file
  refused(gzipped(idx_bytes({100'000, 32, 32}, std::string(102'400'000, '\0'))), "more than 128 times its size");
}

TEST_CASE("IDX labels that do not fit the images are refused", "[data]") {
  const TemporaryFolder folder;
  const auto images = folder.write("images", idx_bytes({2, 1, 1}, "12"));
  const auto config = [&](const std::string& labels) {
    return "type: idx\nimages: " + images + "\nlabels: " + labels + "\n";
  };
  const auto three = folder.write("three", idx_bytes({3}, std::string("\0\1\2", 3)));
  check_refused(config(three), {three, "3 labels, but ", images, "has 2 images"});
  const auto high = folder.write("high", idx_bytes({2}, "\1\11"));
  check_refused(config(high) + "num_classes: 9", {high, "label 9 of image 1; labels from 0 to 8"});
  check_refused(config(images), {images, "magic number 2051, but an IDX file of labels has 2049"});
  check_refused(config(folder / "none"), {folder / "none", "does not exist"});
  check_refused("{type: idx, images: " + images + ", num_classes: 3}", {"test.yaml:1", "num_classes needs `labels`"});
}

TEST_CASE("missing files, folders and options are refused", "[data]") {
  const TemporaryFolder folder;
  const auto none = folder / "none";
  check_refused("{type: digits, root: " + none + "}", {none + "/digits.csv.gz", "run scripts/setup"});
  check_refused("{type: fashion-mnist, root: " + none + "}", {none, "dataset-fashion-mnist"});
  check_refused("{type: cifar10, root: " + none + "}", {none, "nothing is there", "binary version"});
  check_refused("{type: cifar10, root: " + folder.path().string() + "}",
                {folder / "data_batch_1.bin", "does not exist"});
  check_refused("{type: folder, root: " + none + "}", {none, "test.yaml:1:", "nothing is there"});
  check_refused("{type: edm-zip, root: " + none + "}", {none, "nothing is there"});
  check_refused("{type: idx, images: " + none + "}", {none, "nothing is there"});
  check_refused("{type: folder}", {"test.yaml:1:", "`root` is missing; it gives a folder of images"});
  check_refused("{type: folder, root: " + folder.path().string() + "}",
                {folder.path().string(), "no PNG, JPEG or WebP images"});
  check_refused("{type: folder, root: " + folder.write("x.png", png(1, 2, 2)) + "}",
                {folder / "x.png", "not a folder"});
  check_refused("{type: folder, root: " + std::string(5000, 'x') + "}", {"nothing is there"});
}

TEST_CASE("bad digits are refused with file, line and column", "[data]") {
  const TemporaryFolder folder;
  std::string row;
  for (int i = 0; i < 64; ++i) row += "16,";
  const auto refused = [&](std::string_view text, std::string_view what) {
    const auto file = folder.write("digits.csv.gz", text);
    check_refused("{type: digits, root: " + folder.path().string() + "}", {file, what});
  };
  refused(row + "1\n" + row + "10\n", ":2: column 65 is '10', but a class from 0 to 9");
  refused("17" + row.substr(2) + "1\n", ":1: column 1 is '17', but a whole number from 0 to 16");
  refused(row + "1\n" + row.substr(3) + "1\n", ":2: 64 columns, but 65");
  refused(row + "1,1\n", "more than 65 columns");
  refused("<html>", ":1: column 1 is '<html>'");
  refused(row + "1\n\n" + row + "1\n", ":2: column 1 is ''");
  refused("", "the file is empty");
  const std::string packed = gzipped(row + "1\n");
  refused(packed.substr(0, packed.size() - 9), "digits.csv.gz");
}

TEST_CASE("bad CIFAR-10 files are refused", "[data]") {
  const TemporaryFolder folder;
  const std::string good(3073, '\1');
  for (int i = 1; i <= 5; ++i) folder.write(format("data_batch_{}.bin", i), good);
  const auto config = "{type: cifar10, root: " + folder.path().string() + "}";
  CHECK(dataset_of(config)->info().size == 5);
  folder.write("data_batch_3.bin", good.substr(1));
  check_refused(config, {folder / "data_batch_3.bin", "3072 bytes, not a multiple of 3073"});
  folder.write("data_batch_3.bin", good + std::string(3073, '\12'));
  check_refused(config, {folder / "data_batch_3.bin", "label 10 of image 1; labels from 0 to 9"});
  folder.write("data_batch_3.bin", good);
  folder.write("batches.meta.txt", "cat\ndog\n");
  check_refused(config, {folder / "batches.meta.txt", "2 class names"});
}

TEST_CASE("folders of mixed images are refused, naming the first that differs", "[data]") {
  const TemporaryFolder folder;
  const auto config = "type: folder\nroot: " + folder.path().string() + "\n";
  folder.write("a.png", png(3, 4, 4));
  folder.write("b.png", png(3, 4, 4));
  folder.write("c.png", png(3, 4, 5));
  check_refused(config,
                {folder / "c.png", "5x4 pixels of 3 channels, but " + folder / "a.png" + " has 4x4", "`resize`"});
  check_refused(config + "size: 4", {folder / "c.png", "test.yaml:1:", "`size` asks for 4x4; give `resize`"});
  check_refused(config + "size: 4\nresize: pad", {folder / "c.png", "cannot be padded to 4x4"});
  folder.write("c.png", png(1, 4, 4));
  check_refused(config, {folder / "c.png", "1 channel, but " + folder / "a.png" + " has", "`channels: 3`"});
  check_refused(config + "channels: 1", {folder / "a.png", "3 channels, but `channels` asks for 1"});
  folder.write("sub/d.png", png(3, 4, 4));
  check_refused(config, {folder.path().string(), "both in the folder itself (a.png) and in sub-folders"});
}

TEST_CASE("damaged images of a folder are found when it is opened or read, by name", "[data]") {
  const TemporaryFolder folder;
  const auto config = "{type: folder, root: " + folder.path().string() + "}";
  folder.write("a.png", png(3, 8, 8));
  const auto bad = folder.write("b.png", png(3, 8, 8).substr(0, 20));
  check_refused(config, {bad, "cut short after 20 bytes"});
  folder.write("b.png", "not an image at all");
  check_refused(config, {bad, "neither a PNG nor a JPEG"});
  folder.write("b.png", png(3, 8, 8).substr(0, 80));
  const auto images = dataset_of(config);
  CHECK(contains(error_of([&] { image_of(*images, 1); }), bad + ": PNG is cut short after 80 bytes"));
  CHECK(image_of(*images, 0).equal(picture(3, 8, 8)));
}

TEST_CASE("bad options are refused with their place", "[data]") {
  const TemporaryFolder folder;
  const auto file = folder.write("x.idx", idx_bytes({1, 2, 2}, "1234"));
  const std::string config = "type: idx\nimages: " + file + "\n";
  check_refused(config + "split: validation", {"test.yaml:3:8: ", "validation"});
  check_refused(config + "sizes: 3", {"test.yaml:3:", "sizes", "'size'"});
  check_refused(config + "size: 3", {file, "2x2 pixels", "test.yaml:1:", "`size` asks for 3x3"});
  check_refused(config + "resize: area", {"test.yaml:3:", "resizing needs `size`"});
  check_refused(config + "channels: 2", {"test.yaml:3:", "expected 1 (grey)"});
  check_refused(config + "max_images: -1", {"test.yaml:3:", "max_images"});
  check_refused(config + "size: 1e9", {"test.yaml:3:", "size"});
  check_refused("{type: cifar-10, root: x}", {"test.yaml:1:", "unknown data set 'cifar-10'", "'cifar10'"});
}
