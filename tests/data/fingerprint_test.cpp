#include "edmund/data/fingerprint.h"

#include "data/helpers.h"
#include "edmund/core/files.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"

#include <algorithm>
#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> dataset_names() {
  std::vector<std::string> out;
  for (const auto& entry : dataset_table()) out.emplace_back(entry.name);
  return out;
}

const DatasetEntry& entry_of(std::string_view name) {
  return *std::ranges::find(dataset_table(), name, &DatasetEntry::name);
}

DataFingerprint fingerprint_of(const std::string& config) { return dataset_of(config)->fingerprint(); }

}  // namespace

TEST_CASE("the same files have the same fingerprint, wherever they lie and whenever they were written", "[data]") {
  const auto& entry = entry_of(GENERATE(from_range(dataset_names())));
  INFO(entry.name);
  const TemporaryFolder here, there;
  const auto config = entry.example(here.path());
  const DataFingerprint first = fingerprint_of(config);
  CHECK(first.images == dataset_of(config)->info().size);
  CHECK(fingerprint_of(config) == first);
  CHECK(fingerprint_of(entry.example(there.path())) == first);
  CHECK(difference(first, first).empty());
}

TEST_CASE("data of which any file has changed are refused or have another fingerprint", "[data]") {
  const auto& entry = entry_of(GENERATE(from_range(dataset_names())));
  const TemporaryFolder folder;
  const auto config = entry.example(folder.path());
  const DataFingerprint before = fingerprint_of(config);
  for (const auto& file : fs::recursive_directory_iterator(folder.path())) {
    if (!file.is_regular_file()) continue;
    INFO(entry.name << ": " << file.path());
    const std::string whole = read_file(file);
    std::string changed = whole;
    // a digit, so that text stays text
    for (std::size_t at = changed.size() - 1; at > changed.size() / 2; --at)
      if (changed[at] == '1' || changed[at] == '0' || !file.path().string().ends_with("json")) {
        changed[at] = static_cast<char>(changed[at] ^ 1);
        break;
      }
    write_file(file, changed);
    DataFingerprint after;
    const auto refusal = error_of([&] { after = fingerprint_of(config); });
    CHECK((!refusal.empty() || !(after == before)));
    write_file(file, whole);
  }
  CHECK(fingerprint_of(config) == before);
}

TEST_CASE("what has changed is told: the number, names or content, classes", "[data]") {
  const TemporaryFolder folder;
  const auto config = "type: folder\nroot: " + (folder / "data");
  const auto image = [](std::int64_t number) { return png_bytes(picture(3, 8, 8, number)); };
  for (const int i : {0, 1, 2}) folder.write(format("data/cat/{}.png", i), image(i));
  folder.write("data/dog/3.png", image(3));
  const DataFingerprint before = fingerprint_of(config);
  const auto change = [&] { return difference(before, fingerprint_of(config)); };

  SECTION("an image less") {
    fs::remove(folder.path() / "data/cat/1.png");
    CHECK(change() == "4 images there, 3 here");
  }
  SECTION("an image of the same size in the place of another") {
    folder.write("data/cat/1.png", image(2));
    CHECK(change() == "as many images (4), but with other names or content");
  }
  SECTION("another name") {
    fs::rename(folder.path() / "data/cat/1.png", folder.path() / "data/cat/11.png");
    CHECK(contains(change(), "other names"));
  }
  SECTION("an image in another class") {
    fs::rename(folder.path() / "data/cat/1.png", folder.path() / "data/dog/1.png");
    CHECK(!change().empty());
  }
  SECTION("other options of the same files") {
    CHECK(difference(before, fingerprint_of(config + "\nsplit: train")).empty());
    CHECK(difference(before, fingerprint_of(config + "\nmax_images: 2")) == "4 images there, 2 here");
    CHECK(difference(before, fingerprint_of(config + "\nmax_images: 2\nchoice_seed: 1")) == "4 images there, 2 here");
  }
  SECTION("other labels in dataset.json") {
    const auto json = [&](int label) {
      folder.write("data/dataset.json", R"({"labels": [["cat/0.png", 0], ["cat/1.png", )" + std::to_string(label) +
                                            R"(], ["cat/2.png", 1], ["dog/3.png", 1]]})");
      return fingerprint_of("type: edm-zip\nroot: " + (folder / "data"));
    };
    CHECK(difference(json(0), json(1)) == "the same 4 images, but in other classes");
  }
}

TEST_CASE("a large file whose middle alone has changed is seen by its end", "[data]") {
  // Images above the bytes that a fingerprint reads: PNG and JPEG end with what depends on all
  // before.
  const TemporaryFolder folder;
  const bool jpeg = GENERATE(true, false);
  Tensor image = picture(3, 96, 96);
  const auto write = [&] { folder.write(jpeg ? "x.jpg" : "x.png", jpeg ? jpeg_bytes(image) : png_bytes(image)); };
  const auto config = format("{type: folder, root: {}}", folder.path().string());
  write();
  const DataFingerprint before = fingerprint_of(config);
  image = image.clone();
  image.narrow(1, 40, 8).fill_(0);
  write();
  CHECK_FALSE(fingerprint_of(config) == before);
}
