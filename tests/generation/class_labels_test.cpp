#include "edmund/core/consecutive.h"
#include "edmund/core/error.h"
#include "edmund/generation/image_generator.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <cmath>

using namespace edmund;

namespace {

ModelShape shape_of(std::vector<std::int64_t> counts) {
  const auto classes = std::ssize(counts);
  return {.image = {.channels = 1, .height = 8, .width = 8}, .num_classes = classes, .class_counts = std::move(counts)};
}

std::vector<std::int64_t> counts_of(const ModelShape& shape, ClassRule rule, std::int64_t images) {
  const Tensor labels = class_labels(shape, rule, consecutive(0, images));
  const Tensor counts = at::bincount(labels, {}, shape.num_classes);
  return {counts.const_data_ptr<std::int64_t>(), counts.const_data_ptr<std::int64_t>() + counts.numel()};
}

}  // namespace

TEST_CASE("classes are drawn as often as the data has them, for any number of images", "[app]") {
  const std::vector<std::int64_t> sizes{60, 6, 6, 0, 1000, 1};
  const ModelShape shape = shape_of(sizes);
  const std::int64_t total = 1073;
  CHECK(counts_of(shape, ClassRule::kData, total) == sizes);
  for (const std::int64_t images : {1, 7, 100, 536, 1072, 3000}) {
    const auto found = counts_of(shape, ClassRule::kData, images);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const double share = static_cast<double>(images * sizes[i]) / static_cast<double>(total);
      INFO(images << " images, class " << i << ": " << found[i] << " for " << share);
      // When t of a turn is over, each class is within half an image of t of its own, and all of
      // them within as many halves as there are classes.
      const double most = 0.5 + 5 * 0.5 * static_cast<double>(sizes[i]) / static_cast<double>(total);
      CHECK(std::abs(static_cast<double>(found[i]) - share) <= most);
    }
  }
  CHECK(counts_of(shape, ClassRule::kData, 2 * total)[4] == 2000);
}

TEST_CASE("evenly drawn classes are those that have images", "[app]") {
  CHECK(counts_of(shape_of({60, 0, 6}), ClassRule::kEven, 10) == std::vector<std::int64_t>{5, 0, 5});
  CHECK(counts_of(shape_of({8, 8, 8}), ClassRule::kData, 7) == std::vector<std::int64_t>{3, 2, 2});
  ModelShape unknown = shape_of({1, 1, 1});
  unknown.class_counts.clear();
  const Tensor labels = class_labels(unknown, ClassRule::kData, consecutive(0, 7));
  CHECK(labels.equal(at::tensor({0, 1, 2, 0, 1, 2, 0}, at::kLong)));
  CHECK_FALSE(class_labels({}, ClassRule::kData, consecutive(0, 7)).defined());
  CHECK_THROWS_AS(class_labels(shape_of({0, 0}), ClassRule::kData, consecutive(0, 1)), Error);
}

TEST_CASE("the class of an image hangs on its number alone, whatever the batch", "[app]") {
  const ModelShape shape = shape_of({17, 3, 3, 40, 1, 17, 0, 9});
  const Tensor all = class_labels(shape, ClassRule::kData, consecutive(0, 400));
  for (const std::int64_t first : {0, 1, 31, 89, 90, 91, 333}) {
    const Tensor part = class_labels(shape, ClassRule::kData, consecutive(first, 60));
    CHECK(part.equal(all.narrow(0, first, 60)));
  }
  const std::vector<std::int64_t> some{399, 5, 5, 0, 91, 90};
  CHECK(class_labels(shape, ClassRule::kData, some).equal(all.index_select(0, at::tensor(some, at::kLong))));
}
