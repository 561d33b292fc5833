#include "edmund/data/classes.h"

#include "data/helpers.h"
#include "edmund/core/error.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"

#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

namespace {

/// One picture of each of these classes.
std::unique_ptr<Dataset> folder_of(const TemporaryFolder& folder, const std::vector<std::string>& classes) {
  for (const auto& name : classes) folder.write(name + "/0.png", png_bytes(picture(3, 4, 4, 1)));
  return dataset_of(format("{type: folder, root: {}}", folder.path().string()));
}

const ClassSet kThree{.count = 3, .names = {"cat", "dog", "owl"}, .whose = "the model"};

}  // namespace

TEST_CASE("classes of other images get the numbers that their names have", "[data]") {
  const TemporaryFolder folder;
  const auto found = with_classes(folder_of(folder, {"dog", "owl"}), kThree);
  CHECK(labels_of(*found) == std::vector<std::int64_t>{1, 2});
  CHECK(found->info().num_classes == 3);
  CHECK(found->info().class_names == kThree.names);
  CHECK(found->info().class_counts == std::vector<std::int64_t>{0, 1, 1});
}

TEST_CASE("images of a class that is not in the set are refused by its name", "[data]") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(
      with_classes(folder_of(folder, {"dog", "zebra"}), kThree),
      Catch::Matchers::ContainsSubstring("images of the class 'zebra', which the model does not know: its "
                                         "classes are 'cat', 'dog', 'owl'"));
}

TEST_CASE("without names on a side classes are told by their numbers, and further ones refused", "[data]") {
  const TemporaryFolder folder;
  const ClassSet numbers{.count = 2, .whose = "the model"};
  CHECK(labels_of(*with_classes(folder_of(folder, {"dog", "owl"}), numbers)) == std::vector<std::int64_t>{0, 1});
  CHECK_THROWS_WITH(with_classes(folder_of(folder, {"dog", "owl", "zebra"}), numbers),
                    Catch::Matchers::ContainsSubstring("images of class 2, the model has the classes 0 to 1"));
}

TEST_CASE("images without classes stay as they are", "[data]") {
  const TemporaryFolder folder;
  auto plain = folder_of(folder, {"dog"});
  const Dataset* before = plain.get();
  CHECK(with_classes(std::move(plain), {.whose = "the model"}).get() == before);
}

TEST_CASE("a data set says how many images each class has, those of the chosen images", "[data]") {
  const TemporaryFolder folder;
  folder.write("cat/1.png", png_bytes(picture(3, 4, 4, 2)));
  CHECK(folder_of(folder, {"cat", "dog"})->info().class_counts == std::vector<std::int64_t>{2, 1});
  const auto two = dataset_of(format("{type: folder, root: {}, max_images: 1}", folder.path().string()));
  CHECK(two->info().class_counts.size() == 2);
  CHECK(two->info().class_counts[0] + two->info().class_counts[1] == 1);
}

TEST_CASE("a long list of names is cut in its middle", "[data]") {
  const std::vector<std::string> names{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  CHECK(list_of(names) == "'a', 'b', 'c', 'd', 'e', 'f', …, 'j'");
  CHECK(list_of(std::span(names).first(2)) == "'a', 'b'");
}
