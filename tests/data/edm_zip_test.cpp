#include "data/helpers.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <thread>

using namespace edmund;
using namespace edmund::testing;

namespace {

std::string png(std::int64_t number) { return png_bytes(picture(3, 8, 8, number)); }

const Files kFiles = {
    {"00000/img00000001.png", png(1)},
    {"00000/img00000000.png", png(0)},
    {"00000/", ""},
    {"dataset.json", R"({"labels": [["00000/img00000000.png", 6], ["00000/img00000001.png", 2]]})"},
};

}  // namespace

TEST_CASE("an EDM archive gives its images sorted by name, with the labels of dataset.json", "[data]") {
  const TemporaryFolder folder;
  const auto deflated = GENERATE(false, true);
  const auto file = folder.write("set.zip", zip_bytes(folder, kFiles, deflated));
  const auto set = dataset_of(format("{type: edm-zip, root: {}}", file));
  CHECK(set->info().size == 2);
  CHECK(set->info().num_classes == 7);
  CHECK(labels_of(*set) == std::vector<std::int64_t>{6, 2});
  CHECK(image_of(*set, 0).equal(picture(3, 8, 8, 0)));
  CHECK(image_of(*set, 1).equal(picture(3, 8, 8, 1)));
}

TEST_CASE("the same in a folder is the same data set", "[data]") {
  const TemporaryFolder folder;
  for (const auto& [name, bytes] : kFiles)
    if (!name.ends_with('/')) folder.write(name, bytes);
  const auto set = dataset_of(format("{type: edm-zip, num_classes: 10, root: {}}", folder.path().string()));
  CHECK(set->info().num_classes == 10);
  CHECK(labels_of(*set) == std::vector<std::int64_t>{6, 2});
  CHECK(image_of(*set, 1).equal(picture(3, 8, 8, 1)));
}

TEST_CASE("an archive without labels, or with null, has no classes", "[data]") {
  const TemporaryFolder folder;
  const std::string labels = GENERATE("", R"({"labels": null})", "{}");
  Files files = {{"a.png", png(0)}};
  if (!labels.empty()) files.emplace_back("dataset.json", labels);
  const auto set = dataset_of(format("{type: edm-zip, root: {}}", folder.write("set.zip", zip_bytes(folder, files))));
  CHECK(set->info().num_classes == 0);
}

TEST_CASE("many threads read an archive at once", "[data]") {
  const TemporaryFolder folder;
  Files files;
  for (int i = 0; i < 40; ++i) files.emplace_back(format("{}.png", 100 + i), png(i));
  const auto set =
      dataset_of(format("{type: edm-zip, root: {}}", folder.write("set.zip", zip_bytes(folder, files, true))));
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (std::int64_t i = 0; i < 200; ++i) {
        const auto number = (i * 7 + static_cast<std::int64_t>(t)) % 40;
        wrong[t] += image_of(*set, number).equal(picture(3, 8, 8, number)) ? 0 : 1;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

namespace {

// The same data set as an archive and as a folder.
std::vector<std::string> roots_of(const TemporaryFolder& folder, const Files& files) {
  for (const auto& [name, bytes] : files) folder.write("folder/" + name, bytes);
  return {folder.write("set.zip", zip_bytes(folder, files)), folder / "folder"};
}

std::string refusal(const std::string& root) {
  const std::string message = error_of([&] { dataset_of(format("{type: edm-zip, root: {}}", root)); });
  CHECK_FALSE(contains(message, "\n"));
  return message;
}

const char* kLabels = R"({"labels": [["00000/0.png", 2], ["./00000/1.png", 0]]})";

}  // namespace

TEST_CASE("names count from where dataset.json lies, at any depth", "[data]") {
  const TemporaryFolder folder;
  const std::string top = GENERATE("", "mydata/", "a/b/c/", "./");
  const Files files = {{top + "00000/0.png", png(0)},
                       {top + "00000/1.png", png(1)},
                       {top + "dataset.json", kLabels},
                       {"__MACOSX/" + top + "._dataset.json", "no JSON"},
                       {"__MACOSX/" + top + "00000/._0.png", "no image"},
                       {top + ".DS_Store", "x"},
                       {top + "00000/.DS_Store", "x"}};
  for (const auto& root : roots_of(folder, files)) {
    INFO(root);
    const auto set = dataset_of(format("{type: edm-zip, root: {}}", root));
    CHECK(set->info().num_classes == 3);
    CHECK(labels_of(*set) == std::vector<std::int64_t>{2, 0});
    CHECK(image_of(*set, 1).equal(picture(3, 8, 8, 1)));
  }
}

TEST_CASE("images outside of dataset.json's folder are left out, and told", "[data]") {
  const TemporaryFolder folder;
  const Files files = {{"set/00000/0.png", png(0)},
                       {"set/00000/1.png", png(1)},
                       {"set/dataset.json", kLabels},
                       {"settings.png", png(2)},
                       {"other/0.png", png(3)}};
  for (const auto& root : roots_of(folder, files))
    CHECK(dataset_of(format("{type: edm-zip, root: {}}", root))->info().size == 2);
}

TEST_CASE("two label files, or labels that do not fit the images, are refused", "[data]") {
  const auto check = [](const Files& files, std::string_view part) {
    const TemporaryFolder folder;
    for (const auto& root : roots_of(folder, files)) {
      const auto message = refusal(root);
      INFO(message);
      CHECK(message.starts_with("test.yaml:1:"));
      CHECK(contains(message, root));
      CHECK(contains(message, part));
    }
  };
  check({{"a/0.png", png(0)}, {"a/dataset.json", kLabels}, {"b/dataset.json", kLabels}},
        "two label files, a/dataset.json and b/dataset.json");
  check({{"00000/0.png", png(0)}, {"dataset.json", kLabels}, {"old/dataset.json", kLabels}}, "two label files");
  check({{"00000/0.png", png(0)}, {"00000/2.png", png(0)}, {"00000/3.png", png(0)}, {"dataset.json", kLabels}},
        "no label for the image '00000/2.png'; 2 of 3 images have none; labels of images that are not there: 1");
  check({{"mydata/dataset.json", kLabels}, {"00000/0.png", png(0)}},
        "there are no PNG, JPEG or WebP images in mydata/");
}

TEST_CASE("archives in an archive are not read: they are counted, or refused where they are all", "[data]") {
  const TemporaryFolder folder;
  const std::string inner = zip_bytes(folder, {{"0.png", png(0)}});
  const auto some = roots_of(folder, {{"0.png", png(0)}, {"more.zip", inner}});
  for (const auto& root : some) CHECK(dataset_of(format("{type: edm-zip, root: {}}", root))->info().size == 1);
  const TemporaryFolder other;
  for (const auto& root : roots_of(other, {{"inner.zip", inner}, {"readme.txt", "x"}}))
    CHECK(contains(refusal(root), "an archive, 'inner.zip'; unpack it first"));
}
