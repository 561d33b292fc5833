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
