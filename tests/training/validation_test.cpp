#include "edmund/training/validation.h"

#include "helpers.h"
#include "support/catch.h"
#include "tiny_model.h"

#include <array>
#include <ATen/Functions.h>
#include <cmath>
#include <limits>

using namespace edmund;
using namespace edmund::testing;
using Catch::Matchers::WithinRel;

namespace {

/// Images of the tiny batches.
class TinyData final : public Dataset {
 public:
  DatasetInfo info() const override {
    return {.name = "tiny", .size = 64, .channels = 2, .height = 8, .width = 8, .num_classes = 3};
  }
  Batch read(std::span<const std::int64_t> indices) const override {
    std::vector<Tensor> images, labels;
    for (const auto i : indices) {
      const TrainingBatch one = tiny_batch(i, 1);
      images.push_back(one.images);
      labels.push_back(one.labels);
    }
    return {at::cat(images), at::cat(labels)};
  }
};

LossBins bins_of(double loss) {
  LossBins out(LossClock{.range = {0.1, 10.0}});
  out.add(1.0, loss);
  return out;
}

}  // namespace

TEST_CASE("losses fall into bins of the clock's logarithm", "[training]") {
  LossBins bins(LossClock{.range = {1e-3, 1e3}});
  CHECK(std::isnan(bins.mean()));
  for (const double place : {1e-9, 1.1e-3}) bins.add(place, 2.0);
  bins.add(1.1, 5.0);
  bins.add(1e9, 7.0);
  const auto filled = bins.filled();
  REQUIRE(filled.size() == 3);
  CHECK(filled[0].count == 2);
  CHECK(filled[0].loss == 2.0);
  CHECK_THAT(filled[0].center, WithinRel(std::pow(10.0, -2.75), 1e-12));
  CHECK_THAT(filled[1].center, WithinRel(std::pow(10.0, 0.25), 1e-12));
  CHECK(filled[2].loss == 7.0);
  CHECK(bins.mean() == 4.0);
  bins.clear();
  CHECK(bins.filled().empty());
}

TEST_CASE("validation is a function of weights and images, and its mean that of the images' losses", "[training]") {
  const TinyData data;
  const TinySettings settings = tiny_settings();
  const auto objective = tiny_objective(tiny_model(3, 0.0), settings);
  const std::array<std::int64_t, 5> images = {40, 3, 17, 60, 9};
  const LossBins once = validation_loss(*objective, data, images, 2),
                 again = validation_loss(*objective, data, images, 2);
  CHECK(once.mean() == again.mean());

  double sum = 0.0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    TrainingBatch one = tiny_batch(images[i], 1);
    one.positions = {static_cast<std::int64_t>(i)};
    sum += objective->loss(objective->prepare(one)).images.item<double>();
  }
  CHECK_THAT(once.mean(), WithinRel(sum / 5, 1e-5));
  double count = 0.0;
  for (const auto& bin : once.filled()) count += bin.count;
  CHECK(count == 5);
  for (const auto& [name, tensor] : objective->parameters()) CHECK_FALSE(tensor.grad().defined());
}

TEST_CASE("the log of validation goes on, names the best and tells when patience ends", "[training]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "validation.jsonl";
  {
    ValidationLog log(file, 0);
    CHECK_FALSE(log.exhausted(10, 1000));
    for (const auto& [images, loss] : {std::pair{100, 3.0}, {200, 1.0}, {300, std::nan("")}, {400, 2.0}})
      log.add(images, bins_of(loss));
    CHECK(log.best(2) == std::vector<std::int64_t>{200, 400});
    CHECK(log.best(0).empty());
    CHECK(log.exhausted(200, 400));
    CHECK_FALSE(log.exhausted(201, 400));
    CHECK_FALSE(log.exhausted(0, 1'000'000));
  }
  {
    const ValidationLog whole(file, 400);
    REQUIRE(whole.lines().size() == 4);
    CHECK(whole.best(1) == std::vector<std::int64_t>{200});
  }
  ValidationLog shorter(file, 150);  // the run died, its last checkpoint is of 150
  CHECK(shorter.lines().size() == 1);
  CHECK(shorter.has(100));
  CHECK(ValidationLog(file, 1000).lines().size() == 1);  // dropped for good
}

TEST_CASE("pruning keeps the newest checkpoints and those that are named", "[training]") {
  const TemporaryFolder folder;
  for (const int images : {10, 20, 30, 40, 50})
    save_checkpoint(checkpoint_folder(folder.path(), images), {.config = "c", .images = images});
  prune_checkpoints(folder.path(), {.keep = 2, .also = {20, 50}});
  for (const int images : {10, 20, 30, 40, 50})
    CHECK(std::filesystem::exists(checkpoint_folder(folder.path(), images)) == (images != 10 && images != 30));
}
