// What a training tells of its health, and when it stops.
#include "edmund/training/loss_trend.h"
#include "edmund/training/trainer.h"
#include "helpers.h"
#include "support/catch.h"
#include "tiny_model.h"
#include "wrapped.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

using namespace edmund;
using namespace edmund::testing;
using Catch::Matchers::WithinRel;

namespace {

Trainer poisoned_trainer(const TinySettings& settings, std::set<std::int64_t> positions) {
  return tiny_trainer(std::make_unique<Poisoned>(tiny_objective(tiny_model(), settings), std::move(positions)),
                      settings);
}

std::set<std::int64_t> all_from(std::int64_t first) {
  std::set<std::int64_t> out;
  for (std::int64_t at = first; at < 8 * 100; at += 8) out.insert(at);
  return out;
}

/// Why a training stops, and after how many images; kWeights if it does not.
std::pair<Diverged::Cause, std::int64_t> end_of(Trainer& trainer, std::int64_t images) {
  try {
    train_until(trainer, images);
  } catch (const Diverged& reason) {
    return {reason.cause(), trainer.images()};
  }
  return {Diverged::Cause::kWeights, trainer.images()};
}

bool all_finite(const Trainer& trainer) { return nonfinite_tensor(trainer.checkpoint("")).empty(); }

}  // namespace

TEST_CASE("a trend rises by the factor that losses rise by, in its own time", "[training]") {
  LossTrend trend;
  CHECK(trend.rise() == 1.0);
  for (int i = 0; i < 100; ++i) trend.add(0.5, 64);
  CHECK_THAT(trend.mean(), WithinRel(0.5, 1e-12));
  CHECK_THAT(trend.rise(), WithinRel(1.0, 1e-12));
  // one step of 20 times as much moves a geometric mean over 16 steps by 20^(1 - e^(-1/16))
  trend.add(10.0, 64);
  CHECK_THAT(trend.rise(), WithinRel(std::pow(20.0, 1 - std::exp(-1.0 / 16)), 1e-2));
  for (int i = 0; i < 200; ++i) trend.add(10.0, 64);
  CHECK_THAT(trend.rise(), WithinRel(20.0, 1e-3));
  for (int i = 0; i < 300; ++i) trend.add(0.5, 64);
  CHECK_THAT(trend.rise(), WithinRel(1.0, 1e-3));
}

TEST_CASE("a trend counts no loss lower than a ten-thousandth of the first, nor what is no loss", "[training]") {
  LossTrend trend;
  trend.add(1.0, 1024);
  for (int i = 0; i < 1000; ++i) trend.add(1e-12, 64);
  CHECK_THAT(trend.mean(), WithinRel(1e-4, 1e-6));
  const double before = trend.rise();
  for (const double loss :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 0.0, -1.0})
    trend.add(loss, 64);
  CHECK(trend.rise() == before);
}

TEST_CASE("the first images tell little of a trend, and it comes back from counters", "[training]") {
  LossTrend trend;
  trend.add(1e-3, 1);  // one image may be easy
  for (int i = 0; i < 40; ++i) trend.add(1.0, 1);
  CHECK(trend.rise() < LossTrend::kBound);
  std::map<std::string, double> counters;
  trend.save(counters);
  LossTrend other;
  other.add(7.0, 3);
  other.restore(counters);
  CHECK(other.rise() == trend.rise());
  trend.add(3.0, 8);
  other.add(3.0, 8);
  CHECK(other.rise() == trend.rise());
  other.restore({});
  CHECK(other.rise() == 1.0);
}

TEST_CASE("a step that spoils the weights makes its checkpoint unhealthy, though its own loss was good", "[training]") {
  TinySettings settings = tiny_settings();
  // the first step has rate 0, the second not
  settings.learning_rate = {.base = 1e5, .ramp_images = 0};
  Trainer trainer = tiny_trainer(settings);
  const auto good = train_until(trainer, 8);
  CHECK(trainer.fault().empty());
  CHECK(trainer.checkpoint("").fault.empty());
  const auto bad = train_until(trainer, 16);
  CHECK(bad.front().loss < 2 * good.front().loss);
  CHECK(contains(trainer.checkpoint("").fault, "by its step"));
}

TEST_CASE("a checkpoint within a streak of skipped steps is not healthy, and the next good step ends that",
          "[training]") {
  Trainer trainer = poisoned_trainer(tiny_settings(), {16, 24});
  train_until(trainer, 16);
  CHECK(trainer.fault().empty());
  CHECK(trainer.troubled() == nullptr);
  train_until(trainer, 32);
  CHECK(contains(trainer.fault(), "the last 2 steps went wrong, from image 16 on"));
  REQUIRE(trainer.troubled() != nullptr);
  CHECK(trainer.troubled()->inputs.positions[0].item<std::int64_t>() == 16);
  CHECK(std::ranges::all_of(trainer.troubled()->losses, [](double loss) { return std::isnan(loss); }));
  train_until(trainer, 40);
  CHECK(trainer.fault().empty());
  CHECK(trainer.troubled() == nullptr);
}

TEST_CASE("a streak goes on where a training was stopped within it", "[training]") {
  TinySettings settings = tiny_settings();
  settings.max_skipped = 4;
  Trainer first = poisoned_trainer(settings, all_from(16)), second = poisoned_trainer(settings, all_from(16));
  train_until(first, 32);
  Checkpoint checkpoint = first.checkpoint("");
  CHECK(contains(checkpoint.fault, "2 steps"));
  second.restore(checkpoint);
  CHECK(contains(second.fault(), "2 steps"));
  CHECK((end_of(first, 160) == std::pair(Diverged::Cause::kGradient, std::int64_t{48})));
  CHECK((end_of(second, 160) == std::pair(Diverged::Cause::kGradient, std::int64_t{48})));
}

TEST_CASE("a training of absurd settings stops, whatever they are, and its moments stay finite", "[training]") {
  struct Absurd {
    std::string name;
    double rate = 1e-3, scale = 1.0;
    NonFinite nonfinite = NonFinite::kSkip;
  };
  const auto absurd =
      GENERATE(values<Absurd>({{.name = "rate 1e5", .rate = 1e5},
                               {.name = "rate 1e38", .rate = 1e38},
                               {.name = "scale 1e38", .scale = 1e38},
                               {.name = "rate 1e5, cleaned", .rate = 1e5, .nonfinite = NonFinite::kZero},
                               {.name = "rate 1e38, cleaned", .rate = 1e38, .nonfinite = NonFinite::kZero}}));
  INFO(absurd.name);
  TinySettings settings = tiny_settings();
  settings.learning_rate = {.base = absurd.rate, .ramp_images = 0};
  settings.loss_scale = absurd.scale;
  settings.nonfinite = absurd.nonfinite;
  Trainer trainer = tiny_trainer(settings);
  const auto [cause, images] = end_of(trainer, 8 * 100);
  INFO("stopped after " << images << " images");
  CHECK(cause != Diverged::Cause::kWeights);
  CHECK(images <= 8 * 40);
  REQUIRE(trainer.troubled() != nullptr);
  CHECK_FALSE(trainer.fault().empty());
  for (const auto& [name, tensor] : trainer.checkpoint("").optimizer)
    if (name.find("moment") != name.npos) {
      INFO(name);
      CHECK(tensor.isfinite().all().item<bool>());
    }
}

TEST_CASE("a gradient whose square is not finite leaves moments finite, cut or not", "[training]") {
  TinySettings settings = tiny_settings();
  settings.loss_scale = 1e25;
  Trainer skipping = tiny_trainer(settings);
  CHECK(train_until(skipping, 8).front().skipped);
  CHECK(all_finite(skipping));
  settings.clip_norm = 1.0;
  Trainer cutting = tiny_trainer(settings);
  train_until(cutting, 32);  // skipped too where the norm itself overflows
  CHECK(all_finite(cutting));
}

TEST_CASE("a rise that is allowed stops nothing", "[training]") {
  TinySettings settings = tiny_settings();
  settings.learning_rate = {.base = 3.0, .ramp_images = 0};
  settings.max_rise = 0.0;
  Trainer trainer = tiny_trainer(settings);
  CHECK((end_of(trainer, 8 * 30) == std::pair(Diverged::Cause::kWeights, std::int64_t{8 * 30})));
  REQUIRE(trainer.trend().rise() > 1.5);
  settings.max_rise = 1.5;
  Trainer strict = tiny_trainer(settings);
  CHECK(end_of(strict, 8 * 30).first == Diverged::Cause::kRise);
}

TEST_CASE("a batch that is examined gives its step's losses and gradient, and leaves the training alone",
          "[training]") {
  TinySettings settings = tiny_settings();
  settings.micro_batch = GENERATE(0, 3);
  Trainer trainer = tiny_trainer(settings);
  train_until(trainer, 24);
  const Checkpoint before = trainer.checkpoint("");
  const TrainingInputs inputs = tiny_objective(tiny_model(), settings)->prepare(tiny_batch(24, 8));
  const TemporaryFolder folder;
  ExaminedBatch found = trainer.examine(inputs);
  CHECK(same_state(trainer.checkpoint(""), before));

  found.images = {3, 1, 4, 1, 5, 9, 2, 6};
  write_batch(folder / "batch.safetensors", found);
  const ExaminedBatch read = read_batch(folder / "batch.safetensors");
  CHECK(read.losses == found.losses);
  CHECK(read.clock == found.clock);
  CHECK(read.images == found.images);
  CHECK(read.inputs.images.equal(inputs.images));
  CHECK(read.inputs.labels.equal(inputs.labels));
  const ExaminedBatch again = trainer.examine(read.inputs);
  const StepReport step = trainer.step(tiny_batch(24, 8));
  CHECK(again.losses == step.losses);
  CHECK(again.clock == step.clock);
  CHECK(again.gradient_norm == step.gradient_norm);
}

TEST_CASE("a file that is no batch is refused by name", "[training]") {
  const TemporaryFolder folder;
  const TinySettings settings = tiny_settings();
  const TrainingInputs inputs = tiny_objective(tiny_model(), settings)->prepare(tiny_batch(24, 8));
  const auto refusal = [&](const std::function<void(TrainingInputs&)>& edit) {
    ExaminedBatch batch{.inputs = inputs, .losses = std::vector<double>(8), .clock = std::vector<double>(8)};
    edit(batch.inputs);
    write_batch(folder / "x.safetensors", batch);
    return error_of([&] { read_batch(folder / "x.safetensors"); });
  };
  CHECK(refusal([](TrainingInputs&) {}).empty());
  CHECK(contains(refusal([](TrainingInputs& x) { x.labels = x.labels.narrow(0, 0, 3); }), "labels: expected 8 rows"));
  CHECK(contains(refusal([](TrainingInputs& x) { x.positions = x.positions.to(at::kInt); }),
                 "positions: expected int64"));
  CHECK(contains(refusal([](TrainingInputs& x) { x.images = x.images.flatten(1); }), "images: expected [B, C, H, W]"));
  CHECK(contains(error_of([&] { read_batch(folder / "none.safetensors"); }), "none.safetensors"));
}
