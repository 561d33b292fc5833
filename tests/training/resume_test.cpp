#include "edmund/training/trainer.h"
#include "helpers.h"
#include "support/catch.h"
#include "tiny_model.h"

#include <algorithm>
#include <cmath>

using namespace edmund;
using namespace edmund::testing;

namespace {

bool same_state(const Checkpoint& a, const Checkpoint& b) {
  return a.images == b.images && a.steps == b.steps && a.counters == b.counters && same(a.network, b.network) &&
         same(a.ema, b.ema) && same(a.optimizer, b.optimizer);
}

double largest_difference(const NamedTensors& a, const NamedTensors& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, (a[i].second - b[i].second).abs().max().item<double>());
  return largest;
}

}  // namespace

TEST_CASE("a run that was saved, restored and went on has the same bits as one that never stopped", "[training]") {
  TrainingSettings settings = tiny_settings();
  settings.clip_norm = 5.0;
  settings.weight_decay = 0.01;
  settings.uncertainty = GENERATE(false, true);
  Trainer whole = tiny_trainer(settings);
  train_until(whole, 6 * 8);

  const TemporaryFolder folder;
  const auto path = checkpoint_folder(folder.path(), 24);
  {
    Trainer first = tiny_trainer(settings);
    train_until(first, 3 * 8);
    save_checkpoint(path, first.checkpoint("config"));
  }
  Trainer second = tiny_trainer(settings, 0.1, "{half_life: 100, ramp: 1}", 99);  // other initial weights
  second.restore(load_checkpoint(path));
  CHECK(second.images() == 24);
  CHECK(second.steps() == 3);
  train_until(second, 6 * 8);
  CHECK(same_state(second.checkpoint(""), whole.checkpoint("")));
  CHECK(same(second.weights(true), whole.weights(true)));
}

TEST_CASE("runs of another seed, or that draw no dropout, differ", "[training]") {
  TrainingSettings settings = tiny_settings();
  Trainer base = tiny_trainer(settings), without = tiny_trainer(settings, 0.0);
  settings.seed = 8;
  Trainer other = tiny_trainer(settings);
  for (Trainer* trainer : {&base, &without, &other}) train_until(*trainer, 16);
  CHECK_FALSE(same(base.weights(false), other.weights(false)));
  CHECK_FALSE(same(base.weights(false), without.weights(false)));
}

TEST_CASE("splitting a batch into parts changes nothing but rounding", "[training]") {
  TrainingSettings settings = tiny_settings();
  settings.reduction = GENERATE(Reduction::kSum, Reduction::kMean);
  settings.uncertainty = true;
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
      CHECK(found[i].sigmas == expected[i].sigmas);
    }
  }
}

TEST_CASE("the draws of an image depend on its position alone", "[training]") {
  const Trainer trainer = tiny_trainer(tiny_settings());
  const TrainingBatch batch = tiny_batch(40, 8);
  const TrainingDraws together = trainer.draws(batch.positions, {2, 8, 8}, batch.labels);
  for (std::int64_t i = 0; i < 8; ++i) {
    const TrainingDraws alone = trainer.draws({40 + i}, {2, 8, 8}, batch.labels.narrow(0, i, 1));
    CHECK(alone.sigma[0].equal(together.sigma[i]));
    CHECK(alone.eps[0].equal(together.eps[i]));
    CHECK(alone.labels[0].equal(together.labels[i]));
  }
}

TEST_CASE("the noise levels of a batch fall into equal strata, one in each", "[training]") {
  TrainingSettings settings = tiny_settings();
  settings.batch_size = 64;
  Options options, ema_options;
  const NoiseLevels unit = [](double u) { return u; };
  Trainer trainer(tiny_model(), tiny_model(), unit, make_ema(ema_options), settings);
  const TrainingBatch batch = tiny_batch(128, 64);
  const Tensor u = trainer.draws(batch.positions, {2, 8, 8}, batch.labels).sigma;
  std::vector<int> strata(64, 0);
  for (std::int64_t i = 0; i < 64; ++i) ++strata.at(static_cast<std::size_t>(u[i].item<double>() * 64));
  CHECK(std::all_of(strata.begin(), strata.end(), [](int count) { return count == 1; }));
}

TEST_CASE("label dropout makes its share of the labels no class and leaves the others", "[training]") {
  TrainingSettings settings = tiny_settings();
  Trainer trainer = tiny_trainer(settings);
  constexpr std::int64_t kCount = 4000;
  const TrainingBatch batch = tiny_batch(0, kCount);
  const Tensor labels = trainer.draws(batch.positions, {1, 1, 1}, batch.labels).labels;
  const Tensor dropped = labels == 3;
  CHECK(at::logical_or(dropped, labels == batch.labels).all().item<bool>());
  const double share = dropped.to(at::kDouble).mean().item<double>();
  CHECK(std::abs(share - 0.3) < 5 * std::sqrt(0.3 * 0.7 / kCount));

  settings.num_classes = 0;
  Trainer unconditional = tiny_trainer(settings);
  CHECK_FALSE(unconditional.draws(batch.positions, {1, 1, 1}, batch.labels).labels.defined());
}

TEST_CASE("a checkpoint of another network or optimizer is refused by name and changes nothing", "[training]") {
  TrainingSettings settings = tiny_settings();
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
  CHECK(contains(refusal([](Checkpoint& c) { c.optimizer.pop_back(); }), "second_moment."));
  CHECK(contains(refusal([](Checkpoint& c) { c.optimizer.emplace_back("third_moment", at::arange(3)); }), "optimizer"));
  CHECK(
      contains(refusal([](Checkpoint& c) { c.optimizer.front().second = c.optimizer.front().second.to(at::kDouble); }),
               "dtype"));
}
