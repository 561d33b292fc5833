// A step that memory has no room for is taken again in smaller parts.
#include "edmund/training/trainer.h"
#include "helpers.h"
#include "support/catch.h"
#include "tiny_model.h"
#include "wrapped.h"

#include <c10/util/Exception.h>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

using namespace edmund;
using namespace edmund::testing;

namespace {

/// Fails for parts of more than `most` images from a position on, and within a batch only at the
/// second part, when there is a gradient of the first.
class Greedy : public Wrapped {
 public:
  Greedy(std::unique_ptr<Trainable> inner, std::int64_t most, std::int64_t from, std::function<void()> fail)
      : Wrapped(std::move(inner)), most_(most), from_(from), fail_(std::move(fail)) {}

  Losses loss(const TrainingInputs& inputs) const override {
    const std::int64_t first = inputs.positions[0].item<std::int64_t>();
    const bool is_second = first % 8 != 0 || inputs.positions.size(0) == 8;
    if (first >= from_ && is_second && inputs.positions.size(0) > most_) fail_();
    return Wrapped::loss(inputs);
  }

 private:
  std::int64_t most_, from_;
  std::function<void()> fail_;
};

void bad_alloc() { throw std::bad_alloc(); }
void no_tensor() { TORCH_CHECK(false, "out of memory: a tensor of 4096 bytes"); }

Trainer greedy_trainer(const TinySettings& settings, std::int64_t most, std::int64_t from = 0,
                       const std::function<void()>& fail = bad_alloc) {
  return tiny_trainer(std::make_unique<Greedy>(tiny_objective(tiny_model(), settings), most, from, fail), settings);
}

}  // namespace

TEST_CASE("where memory runs out a step is that of the micro-batch that fits, to the bit", "[training]") {
  TinySettings settings = tiny_settings();
  const auto [most, fits] = GENERATE(table<std::int64_t, std::int64_t>({{7, 4}, {4, 4}, {3, 2}, {1, 1}}));
  const bool of_tensor = GENERATE(false, true);
  INFO("room for " << most);
  Trainer found = greedy_trainer(settings, most, 0, of_tensor ? no_tensor : bad_alloc);
  const auto reports = train_until(found, 32);
  CHECK(found.micro_batch() == fits);
  settings.micro_batch = fits;
  Trainer expected = tiny_trainer(settings);
  const auto other = train_until(expected, 32);
  for (std::size_t i = 0; i < other.size(); ++i) {
    CHECK(reports[i].losses == other[i].losses);
    CHECK(reports[i].gradient_norm == other[i].gradient_norm);
  }
  const Checkpoint a = found.checkpoint(""), b = expected.checkpoint("");
  CHECK(same(a.network, b.network));
  CHECK(same(a.ema, b.ema));
  CHECK(same(a.optimizer, b.optimizer));
}

TEST_CASE("a training that ran out of memory is gone on with in the parts that fitted", "[training]") {
  const TinySettings settings = tiny_settings();
  Trainer whole = greedy_trainer(settings, 2, 16), first = greedy_trainer(settings, 2, 16);
  train_until(whole, 48);
  train_until(first, 32);
  CHECK(first.micro_batch() == 2);
  Trainer second = tiny_trainer(settings);  // with room
  second.restore(first.checkpoint(""));
  CHECK(second.micro_batch() == 2);
  train_until(second, 48);
  CHECK(same_state(second.checkpoint(""), whole.checkpoint("")));
}

TEST_CASE("no room for one image, and what is no matter of memory, end a training", "[training]") {
  const TinySettings settings = tiny_settings();
  Trainer none = greedy_trainer(settings, 0);
  CHECK_THROWS_AS(train_until(none, 8), std::bad_alloc);
  Trainer other = greedy_trainer(settings, 4, 0, [] { throw std::runtime_error("something else"); });
  CHECK_THROWS_WITH(train_until(other, 8), "something else");
  CHECK(other.micro_batch() == 0);
}
