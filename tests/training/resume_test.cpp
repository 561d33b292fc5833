#include "edmund/training/trainer.h"
#include "helpers.h"
#include "support/catch.h"
#include "tiny_model.h"

#include <algorithm>
#include <cmath>
#include <future>

using namespace edmund;
using namespace edmund::testing;

namespace {

double largest_difference(const NamedTensors& a, const NamedTensors& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, (a[i].second - b[i].second).abs().max().item<double>());
  return largest;
}

}  // namespace

TEST_CASE("runs of another seed, or that draw no dropout, differ", "[training]") {
  TinySettings settings = tiny_settings();
  Trainer base = tiny_trainer(settings), without = tiny_trainer(settings, 0.0);
  settings.seed = 8;
  Trainer other = tiny_trainer(settings);
  for (Trainer* trainer : {&base, &without, &other}) train_until(*trainer, 16);
  CHECK_FALSE(same(base.weights(false), other.weights(false)));
  CHECK_FALSE(same(base.weights(false), without.weights(false)));
}

TEST_CASE("splitting a batch into parts changes nothing but rounding", "[training]") {
  TinySettings settings = tiny_settings();
  settings.objective.reduction = GENERATE(Reduction::kSum, Reduction::kMean);
  settings.objective.uncertainty = true;
  settings.eps = 1e-3;  // so that rounding in a gradient near zero is not blown up to a whole step
  Trainer whole = tiny_trainer(settings);
  const auto expected = train_until(whole, 24);
  for (const std::int64_t part : {1, 3, 4}) {
    settings.micro_batch = part;
    Trainer split = tiny_trainer(settings);
    const auto found = train_until(split, 24);
    CHECK(largest_difference(split.weights(false), whole.weights(false)) < 2e-5);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(std::abs(found[i].gradient_norm / expected[i].gradient_norm - 1) < 1e-4);
      CHECK(found[i].clock == expected[i].clock);
    }
  }
}

TEST_CASE("the noise levels of a batch fall into equal strata, one in each", "[training]") {
  TinySettings settings = tiny_settings();
  settings.batch_size = 64;
  const auto objective = tiny_objective(tiny_model(), settings, "denoise", [](double u) { return u; });
  const Tensor u = objective->prepare(tiny_batch(128, 64)).drawn.front();
  std::vector<int> strata(64, 0);
  for (std::int64_t i = 0; i < 64; ++i) ++strata.at(static_cast<std::size_t>(u[i].item<double>() * 64));
  CHECK(std::all_of(strata.begin(), strata.end(), [](int count) { return count == 1; }));
}

TEST_CASE("label dropout makes its share of the labels no class and leaves the others", "[training]") {
  TinySettings settings = tiny_settings();
  constexpr std::int64_t kCount = 4000;
  const TrainingBatch batch = tiny_batch(0, kCount);
  const Tensor labels = tiny_objective(tiny_model(), settings)->prepare(batch).labels;
  const Tensor dropped = labels == 3;
  CHECK(at::logical_or(dropped, labels == batch.labels).all().item<bool>());
  const double share = dropped.to(at::kDouble).mean().item<double>();
  CHECK(std::abs(share - 0.3) < 5 * std::sqrt(0.3 * 0.7 / kCount));

  settings.num_classes = 0;
  CHECK_FALSE(tiny_objective(tiny_model(), settings)->prepare(batch).labels.defined());
}

TEST_CASE("a checkpoint without rests of the EMA, of an older version, is gone on from with none", "[training]") {
  Trainer first = tiny_trainer(tiny_settings()), second = tiny_trainer(tiny_settings());
  train_until(first, 8);
  train_until(second, 16);  // its own rests are forgotten
  Checkpoint old = first.checkpoint("");
  const auto is_rest = [](const auto& entry) { return entry.first.starts_with("ema_rest."); };
  const auto rests = std::erase_if(old.optimizer, is_rest);
  CHECK(rests > 0);
  second.restore(old);
  for (const auto& [name, tensor] : second.checkpoint("").optimizer)
    if (name.starts_with("ema_rest.")) CHECK(tensor.eq(0).all().item<bool>());
  CHECK(second.images() == first.images());
}

TEST_CASE("a checkpoint of another network or optimizer is refused by name and changes nothing", "[training]") {
  TinySettings settings = tiny_settings();
  Trainer trainer = tiny_trainer(settings);
  train_until(trainer, 8);
  const Checkpoint before = trainer.checkpoint("");

  const auto refusal = [&](const std::function<void(Checkpoint&)>& edit) {
    Checkpoint checkpoint = before;
    for (NamedTensors* part : {&checkpoint.network, &checkpoint.ema, &checkpoint.optimizer})
      for (auto& [name, tensor] : *part) tensor = tensor + 1;
    edit(checkpoint);
    const std::string message = error_of([&] { trainer.restore(checkpoint); });
    CHECK(same_state(trainer.checkpoint(""), before));
    return message;
  };
  CHECK(contains(refusal([](Checkpoint& c) { c.network.front().first = "model.stem"; }), "missing"));
  CHECK(contains(refusal([](Checkpoint& c) { c.network.emplace_back("extra", at::arange(3)); }), "extra"));
  CHECK(contains(refusal([](Checkpoint& c) { c.ema.front().second = at::arange(3, at::kFloat); }), "shape"));
  CHECK(contains(refusal([](Checkpoint& c) { c.optimizer.pop_back(); }), "ema_rest."));
  CHECK(contains(refusal([](Checkpoint& c) { c.optimizer.emplace_back("third_moment", at::arange(3)); }), "optimizer"));
  CHECK(
      contains(refusal([](Checkpoint& c) { c.optimizer.front().second = c.optimizer.front().second.to(at::kDouble); }),
               "dtype"));
}

TEST_CASE("a checkpoint is of the moment at which it was packed, however training goes on while it is written",
          "[training][writer]") {
  const TemporaryFolder folder;
  Trainer trainer = tiny_trainer(tiny_settings()), beside = tiny_trainer(tiny_settings());
  train_until(beside, 80);
  for (std::int64_t images = 16; images <= 64; images += 16) {
    train_until(trainer, images);
    const PackedCheckpoint packed(checkpoint_folder(folder.path(), images), trainer.checkpoint("{}"));
    auto writing = std::async(std::launch::async, [&] { packed.write(); });
    train_until(trainer, images + 8);
    writing.get();
    Trainer again = tiny_trainer(tiny_settings());
    again.restore(load_checkpoint(packed.folder()));
    CHECK(again.images() == images);
    train_until(again, 80);
    CHECK(same_state(again.checkpoint("{}"), beside.checkpoint("{}")));
  }
}
