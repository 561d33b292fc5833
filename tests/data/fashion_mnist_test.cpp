#include "data/helpers.h"
#include "support/catch.h"

#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

TEST_CASE("Fashion-MNIST of Debian's package has 60,000 and 10,000 images in equal classes", "[data]") {
  const auto test = dataset_of("{type: fashion-mnist, split: test}");
  const auto info = test->info();
  CHECK(info.size == 10000);
  CHECK(info.channels == 1);
  CHECK(info.height == 28);
  CHECK(info.width == 28);
  REQUIRE(info.class_names.size() == 10);
  CHECK(info.class_names[9] == "ankle boot");
  std::vector<std::int64_t> counts(10);
  for (const auto label : labels_of(*test)) ++counts.at(static_cast<std::size_t>(label));
  CHECK(counts == std::vector<std::int64_t>(10, 1000));
  const auto train = dataset_of("{type: fashion-mnist}");
  CHECK(train->info().size == 60000);
  // Published mean and standard deviation of the training pixels in [0, 1]: 0.2860 and 0.3530.
  const auto found = statistics(*train, 60000);
  CHECK_THAT((found.mean + 1) / 2, Catch::Matchers::WithinAbs(0.2860, 5e-5));
  CHECK_THAT(found.std / 2, Catch::Matchers::WithinAbs(0.3530, 5e-5));
}

TEST_CASE("a Fashion-MNIST folder may hold plain files, and `all` is train and then test", "[data]") {
  const TemporaryFolder folder;
  folder.write("train-images-idx3-ubyte", idx_bytes({2, 1, 1}, "\1\2"));
  folder.write("train-labels-idx1-ubyte.gz", gzipped(idx_bytes({2}, "\3\4")));
  folder.write("t10k-images-idx3-ubyte.gz", gzipped(idx_bytes({1, 1, 1}, "\7")));
  folder.write("t10k-labels-idx1-ubyte", idx_bytes({1}, "\5"));
  const auto all = dataset_of(format("{type: fashion-mnist, split: all, root: {}}", folder.path().string()));
  CHECK(read_all(*all).images.flatten().to(at::kLong).equal(at::tensor(std::vector<std::int64_t>{1, 2, 7})));
  CHECK(labels_of(*all) == std::vector<std::int64_t>{3, 4, 5});
}
