#include "edmund/training/trainer.h"

#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "helpers.h"
#include "support/catch.h"
#include "tiny_model.h"
#include "wrapped.h"

#include <ATen/ops/linalg_vector_norm.h>
#include <cmath>
#include <set>
#include <utility>

using namespace edmund;
using namespace edmund::testing;
using Catch::Matchers::WithinRel;

namespace {

double norm(const NamedTensors& tensors) {
  double sum = 0.0;
  for (const auto& [name, tensor] : tensors)
    sum += std::pow(at::linalg_vector_norm(tensor.to(at::kDouble)).item<double>(), 2);
  return std::sqrt(sum);
}

/// A trainer whose loss is not a number in the batches at these positions.
Trainer poisoned_trainer(const TinySettings& settings, std::set<std::int64_t> positions) {
  return tiny_trainer(std::make_unique<Poisoned>(tiny_objective(tiny_model(), settings), std::move(positions)),
                      settings);
}

}  // namespace

TEST_CASE("a report says what happened", "[training]") {
  TinySettings settings = tiny_settings();
  Trainer trainer = tiny_trainer(settings);
  trainer.keep_gradients(true);
  CHECK(trainer.last_gradients().empty());
  const auto reports = train_until(trainer, 24);
  CHECK(reports[0].learning_rate == 0.0);
  CHECK(reports[0].ema_beta == 0.0);
  CHECK_THAT(reports[1].learning_rate, WithinRel(5e-3, 1e-12));
  // half-life cut to the 8 images seen before
  CHECK_THAT(reports[1].ema_beta, WithinRel(0.5, 1e-12));
  CHECK(reports[2].images == 24);
  CHECK(reports[2].clock.size() == 8);
  double mean = 0.0;
  for (const double loss : reports[2].losses) mean += loss / 8;
  CHECK_THAT(reports[2].loss, WithinRel(mean, 1e-12));
  CHECK_THAT(norm(trainer.last_gradients()), WithinRel(reports[2].gradient_norm, 1e-5));
}

TEST_CASE("the mean loss has the gradient of the summed one divided by the elements of an image", "[training]") {
  TinySettings settings = tiny_settings();
  Trainer sum = tiny_trainer(settings);
  settings.objective.reduction = Reduction::kMean;
  Trainer mean = tiny_trainer(settings);
  settings.loss_scale = 4.0;
  Trainer scaled = tiny_trainer(settings);
  const double expected = train_until(sum, 8)[0].gradient_norm / (2 * 8 * 8);
  CHECK_THAT(train_until(mean, 8)[0].gradient_norm, WithinRel(expected, 1e-5));
  CHECK_THAT(train_until(scaled, 8)[0].gradient_norm, WithinRel(4 * expected, 1e-5));
}

TEST_CASE("clipping shortens a long gradient to its length and leaves a short one", "[training]") {
  TinySettings settings = tiny_settings();
  settings.clip_norm = 0.5;
  Trainer clipped = tiny_trainer(settings);
  clipped.keep_gradients(true);
  const double full = train_until(clipped, 8)[0].gradient_norm;
  REQUIRE(full > 0.5);
  CHECK_THAT(norm(clipped.last_gradients()), WithinRel(0.5, 1e-5));

  settings.clip_norm = 2 * full;
  Trainer free = tiny_trainer(settings);
  free.keep_gradients(true);
  train_until(free, 8);
  CHECK_THAT(norm(free.last_gradients()), WithinRel(full, 1e-5));
}

TEST_CASE("a step without a finite gradient changes the position and nothing else", "[training]") {
  Trainer trainer = poisoned_trainer(tiny_settings(), {16});
  train_until(trainer, 16);
  const Checkpoint before = trainer.checkpoint("");
  const StepReport report = train_until(trainer, 24).front();
  CHECK(report.skipped);
  CHECK(std::isnan(report.loss));
  const Checkpoint after = trainer.checkpoint("");
  CHECK(same(after.network, before.network));
  CHECK(same(after.ema, before.ema));
  CHECK(same(after.optimizer, before.optimizer));
  CHECK(after.steps == 2);
  CHECK(after.images == 24);
  CHECK(trainer.skipped() == 1);
  // The schedule stood still too: the next step has the rate of 16 images, not of 24.
  TinySettings longer = tiny_settings();
  longer.learning_rate.ramp_images = 1000;
  Trainer slow = poisoned_trainer(longer, {16});
  train_until(slow, 24);
  const StepReport next = slow.step(tiny_batch(24, 8));
  CHECK_FALSE(next.skipped);
  CHECK_THAT(next.learning_rate, WithinRel(1e-2 * 16 / 1000, 1e-12));
}

TEST_CASE("too many skipped steps in a row stop the run and name images and noise levels", "[training]") {
  TinySettings settings = tiny_settings();
  settings.max_skipped = 3;
  Trainer trainer = poisoned_trainer(settings, {0, 8, 24, 32, 40});
  train_until(trainer, 40);  // a good one at 16: the count starts again
  const std::string message = error_of([&] { train_until(trainer, 48); });
  INFO(message);
  CHECK(contains(message, "3 steps in a row"));
  CHECK(contains(message, "images 24 to 47"));
  CHECK(contains(message, "sigma"));
  CHECK(trainer.skipped() == 5);
}

TEST_CASE("with nonfinite: zero the step is taken with a finite gradient", "[training]") {
  TinySettings settings = tiny_settings();
  settings.nonfinite = NonFinite::kZero;
  Trainer trainer = poisoned_trainer(settings, {0});
  trainer.keep_gradients(true);
  const StepReport report = train_until(trainer, 8).front();
  CHECK_FALSE(report.skipped);
  CHECK(std::isfinite(report.gradient_norm));
  for (const auto& [name, gradient] : trainer.last_gradients()) CHECK(gradient.isfinite().all().item<bool>());
  train_until(trainer, 24);
  for (const auto& [name, tensor] : trainer.weights(false)) CHECK(tensor.isfinite().all().item<bool>());
}

TEST_CASE("the EMA is a network of its own that follows the weights", "[training]") {
  Trainer trainer = tiny_trainer(tiny_settings(), 0.0, "{type: score_sde, decay: 0.5, warmup: false}");
  const auto value = [&](bool ema) { return trainer.weights(ema).front().second.clone(); };
  CHECK(value(true).equal(value(false)));  // starts as a copy, whatever the second network held
  Tensor expected = value(true);
  for (std::int64_t step = 1; step <= 4; ++step) {
    train_until(trainer, 8 * step);
    expected = 0.5 * expected + 0.5 * value(false);
    CHECK((value(true) - expected).abs().max().item<double>() < 1e-6);
  }
  CHECK_FALSE(value(true).equal(value(false)));

  const std::shared_ptr<Network>& network = trainer.ema_network();
  CHECK(state_dict(*network).front().second.equal(value(true)));
  for (const auto& parameter : network->parameters()) CHECK_FALSE(parameter.requires_grad());
  const Tensor z = at::arange(2 * 8 * 8, at::kFloat).view({1, 2, 8, 8}) / 128;
  CHECK(tiny_model().on(network).denoise(z, at::ones({1}), {}).isfinite().all().item<bool>());
}

TEST_CASE("the keys of training are read, checked and refused together", "[training]") {
  Options options = Options::read_text(
      "{images: 1e6, batch_size: 256, micro_batch: 64, learning_rate: 2e-4, learning_rate_ramp: 1e5, beta2: 0.99, "
      "weight_decay: 0.01, "
      "clip_norm: 1, label_dropout: 0.1, reduction: mean, nonfinite: zero, max_skipped: 3, stratified: false, "
      "uncertainty: true}",
      "training");
  const TrainingSettings settings = training_settings(options);
  const ObjectiveSettings objective = objective_settings(options);
  options.finish();
  CHECK(settings.images == 1000000);
  CHECK(settings.micro_batch == 64);
  CHECK(settings.learning_rate.ramp_images == 1e5);
  CHECK(objective.reduction == Reduction::kMean);
  CHECK(settings.nonfinite == NonFinite::kZero);
  CHECK_FALSE(objective.stratified);
  CHECK(objective.label_dropout == 0.1);
  CHECK(objective.uncertainty);

  Options wrong = Options::read_text(
      "{batch_size: 0, beta1: 1, label_dropout: 2, reduction: man, micro_batch: 100, clip_nrom: 3}", "training");
  training_settings(wrong);
  objective_settings(wrong);
  const std::string message = error_of([&] { wrong.finish(); });
  INFO(message);
  for (const char* key : {"batch_size", "beta1", "label_dropout", "reduction", "micro_batch", "clip_nrom"})
    CHECK(contains(message, key));
}
