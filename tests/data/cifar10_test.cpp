#include "data/helpers.h"
#include "support/catch.h"

#include <algorithm>
#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

namespace {

// A record whose red plane is `red` and whose other pixels are 0.
std::string record(char label, char red) {
  std::string bytes(1 + 3 * 1024, '\0');
  bytes[0] = label;
  std::fill_n(bytes.begin() + 1, 1024, red);
  return bytes;
}

void write_batches(const TemporaryFolder& folder, const std::string& prefix = "") {
  for (int i = 1; i <= 5; ++i)
    folder.write(prefix + format("data_batch_{}.bin", i), record(static_cast<char>(i), static_cast<char>(10 * i)));
  folder.write(prefix + "test_batch.bin", record(9, 90) + record(0, 91));
}

}  // namespace

TEST_CASE("CIFAR-10 records are a class and three planes, in the order of the files", "[data]") {
  const TemporaryFolder folder;
  write_batches(folder);
  const auto train = dataset_of(format("{type: cifar10, root: {}}", folder.path().string()));
  CHECK(train->info().size == 5);
  CHECK(train->info().class_names.at(3) == "cat");
  CHECK(labels_of(*train) == std::vector<std::int64_t>{1, 2, 3, 4, 5});
  const Tensor image = image_of(*train, 2);
  REQUIRE(image.sizes() == at::IntArrayRef({3, 32, 32}));
  CHECK((image[0] == 30).all().item<bool>());
  CHECK((image.narrow(0, 1, 2) == 0).all().item<bool>());
  const auto all = dataset_of(format("{type: cifar10, split: all, root: {}}", folder.path().string()));
  CHECK(labels_of(*all) == std::vector<std::int64_t>{1, 2, 3, 4, 5, 9, 0});
}

TEST_CASE("CIFAR-10 is found in its own folder, with its class names", "[data]") {
  const TemporaryFolder folder;
  write_batches(folder, "cifar-10-batches-bin/");
  folder.write("cifar-10-batches-bin/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  const auto test = dataset_of(format("{type: cifar10, split: test, root: {}}", folder.path().string()));
  CHECK(test->info().name == "cifar10 test");
  CHECK(test->info().size == 2);
  CHECK(test->info().class_names.at(9) == "j");
}

TEST_CASE("class names of CIFAR-10 that are not UTF-8 are refused", "[data]") {
  const TemporaryFolder folder;
  write_batches(folder);
  folder.write("batches.meta.txt",
               "a\nb\nc\nd\ngr\xf6\xdf"
               "e\nf\ng\nh\ni\nj\n");
  CHECK(contains(error_of([&] { dataset_of(format("{type: cifar10, root: {}}", folder.path().string())); }),
                 "the name of the class 'gr\\xf6\\xdfe' is not UTF-8"));
}
