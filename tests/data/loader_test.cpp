#include "edmund/data/loader.h"

#include "data/helpers.h"
#include "edmund/core/error.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <chrono>
#include <cmath>
#include <set>
#include <thread>

using namespace edmund;
using namespace edmund::testing;

namespace {

// Image i is [1, 1, 4]: i, 1, 2, 3; its label is i mod 7. Reading image `bad` throws; each read may
// take a while.
class Numbers final : public Dataset {
 public:
  explicit Numbers(std::int64_t size, std::int64_t bad = -1, int milliseconds = 0)
      : size_(size), bad_(bad), pause_(milliseconds) {}

  DatasetInfo info() const override {
    return {
        .name = "numbers", .size = size_, .channels = 1, .height = 1, .width = 4, .num_classes = 7, .class_names = {}};
  }

  Batch read(std::span<const std::int64_t> indices) const override {
    if (pause_.count() > 0) std::this_thread::sleep_for(pause_ * (indices[0] % 3));
    Batch batch{.images = at::empty({static_cast<std::int64_t>(indices.size()), 1, 1, 4}, at::kByte),
                .labels = at::empty({static_cast<std::int64_t>(indices.size())}, at::kLong)};
    for (std::size_t k = 0; k < indices.size(); ++k) {
      require(indices[k] != bad_, "image {} is damaged", indices[k]);
      auto* pixels = batch.images.data_ptr<std::uint8_t>() + 4 * k;
      for (int x = 0; x < 4; ++x) pixels[x] = static_cast<std::uint8_t>(x == 0 ? indices[k] : x);
      batch.labels.data_ptr<std::int64_t>()[k] = indices[k] % 7;
    }
    return batch;
  }

 private:
  std::int64_t size_, bad_;
  std::chrono::milliseconds pause_;
};

bool same(const TrainingBatch& a, const TrainingBatch& b) {
  return a.images.equal(b.images) && a.labels.equal(b.labels) && a.positions == b.positions;
}

}  // namespace

TEST_CASE("each epoch visits every image once, in another order", "[data][loader]") {
  const std::int64_t size = GENERATE(1, 2, 37, 1000);
  const std::uint64_t seed = 5;
  std::set<std::vector<std::int64_t>> orders;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::int64_t> order;
    for (std::int64_t i = 0; i < size; ++i) order.push_back(data_index(epoch * size + i, size, seed));
    CHECK(std::set<std::int64_t>(order.begin(), order.end()).size() == static_cast<std::size_t>(size));
    CHECK(*std::min_element(order.begin(), order.end()) == 0);
    CHECK(*std::max_element(order.begin(), order.end()) == size - 1);
    orders.insert(order);
  }
  if (size > 30) CHECK(orders.size() == 3);
  if (size > 30) CHECK(data_index(0, 1000, 1) != data_index(0, 1000, 2));
}

TEST_CASE("batches hold the images of their positions", "[data][loader]") {
  const Numbers numbers(50);
  Loader loader(numbers, {.batch_size = 8, .threads = 2, .seed = 3});
  for (std::int64_t k = 0; k < 20; ++k) {
    const auto batch = loader.next();
    REQUIRE(batch.images.sizes() == at::IntArrayRef({8, 1, 1, 4}));
    for (std::int64_t i = 0; i < 8; ++i) {
      const std::int64_t position = 8 * k + i, index = data_index(position, 50, 3);
      CHECK(batch.positions[static_cast<std::size_t>(i)] == position);
      CHECK(batch.images[i][0][0][0].item<std::int64_t>() == index);
      CHECK(batch.labels[i].item<std::int64_t>() == index % 7);
    }
  }
}

TEST_CASE("batches do not depend on threads, prefetch or time", "[data][loader]") {
  const Numbers slow(40, -1, 1), fast(40);
  Loader plain(fast, {.batch_size = 6, .threads = 0, .seed = 9, .flip = true});
  Loader one(slow, {.batch_size = 6, .threads = 1, .prefetch = 1, .seed = 9, .flip = true});
  Loader many(slow, {.batch_size = 6, .threads = 5, .prefetch = 3, .seed = 9, .flip = true});
  for (int k = 0; k < 30; ++k) {
    const auto batch = plain.next();
    CHECK(same(batch, one.next()));
    CHECK(same(batch, many.next()));
  }
}

TEST_CASE("a loader that starts later goes on as the first one does", "[data][loader]") {
  const Numbers numbers(40);
  Loader whole(numbers, {.batch_size = 6, .threads = 2, .seed = 9, .flip = true});
  for (int k = 0; k < 11; ++k) whole.next();
  Loader rest(numbers, {.batch_size = 6, .threads = 3, .seed = 9, .flip = true, .start = 66});
  for (int k = 0; k < 11; ++k) CHECK(same(whole.next(), rest.next()));
}

TEST_CASE("the batch size does not change the images at the positions", "[data][loader]") {
  const Numbers numbers(40);
  Loader small(numbers, {.batch_size = 4, .seed = 9, .flip = true}),
      large(numbers, {.batch_size = 12, .seed = 9, .flip = true});
  for (int k = 0; k < 5; ++k) {
    const Tensor parts = at::cat({small.next().images, small.next().images, small.next().images});
    CHECK(parts.equal(large.next().images));
  }
}

TEST_CASE("half of the images are flipped, each as a whole, anew in each epoch", "[data][loader]") {
  const Numbers numbers(100);
  Loader loader(numbers, {.batch_size = 100, .threads = 1, .seed = 4, .flip = true});
  std::int64_t flips = 0;
  std::set<std::vector<bool>> epochs;
  for (int k = 0; k < 40; ++k) {
    const auto batch = loader.next();
    std::vector<bool> flipped(100);
    for (std::int64_t i = 0; i < 100; ++i) {
      const auto index = data_index(batch.positions[static_cast<std::size_t>(i)], 100, 4);
      const Tensor row = batch.images[i].flatten().to(at::kLong);
      const Tensor original = at::tensor(std::vector<std::int64_t>{index, 1, 2, 3});
      const bool was = row.equal(original.flip(0));
      CHECK((was || row.equal(original)));
      flipped[static_cast<std::size_t>(index)] = was;
      flips += was ? 1 : 0;
    }
    epochs.insert(flipped);
  }
  CHECK(epochs.size() == 40);
  // five standard errors
  CHECK(std::abs(static_cast<double>(flips) - 2000) <= 5 * std::sqrt(4000 * 0.25));
}

TEST_CASE("without flip the images are as they are", "[data][loader]") {
  const Numbers numbers(30);
  Loader loader(numbers, {.batch_size = 30});
  CHECK((loader.next().images.select(3, 3) == 3).all().item<bool>());
}

TEST_CASE("an error of a worker comes out of next, at its batch and ever after", "[data][loader]") {
  const auto threads = GENERATE(0, 1, 4);
  const std::int64_t bad = data_index(27, 40, 1);
  const Numbers numbers(40, bad);
  Loader loader(numbers, {.batch_size = 5, .threads = threads, .seed = 1});
  for (int k = 0; k < 5; ++k) CHECK(loader.next().positions.front() == 5 * k);
  for (int again = 0; again < 2; ++again) CHECK(error_of([&] { loader.next(); }) == format("image {} is damaged", bad));
}

TEST_CASE("a loader stops in the middle of its work", "[data][loader]") {
  const Numbers slow(40, -1, 5);
  const auto begin = std::chrono::steady_clock::now();
  for (int k = 0; k < 10; ++k) {
    Loader loader(slow, {.batch_size = 4, .threads = 3, .prefetch = 8});
    if (k % 2 == 1) loader.next();
  }
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}
