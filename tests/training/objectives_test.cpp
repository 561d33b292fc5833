// What every objective of the table promises; a new row is tested without a word here.
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "edmund/ops/random.h"
#include "edmund/training/objective.h"
#include "helpers.h"
#include "support/catch.h"
#include "tiny_model.h"

#include <array>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <string>

using namespace edmund;
using namespace edmund::testing;
using Catch::Matchers::WithinRel;

namespace {

std::string any_objective() { return std::string(GENERATE(from_range(names(objective_table())))); }

/// A tiny model whose every parameter has a gradient: SongUNet's last layers are zero at first.
DenoisingModel awake_model(at::ScalarType dtype) {
  const at::NoGradGuard no_grad;
  DenoisingModel model = tiny_model();
  model.network().to(dtype);
  const std::array sample = {std::int64_t{1}};
  std::uint32_t draw = 0;
  for (auto& parameter : model.network().parameters())
    parameter.add_(ops::normal(3, Stream::kWeights, sample, draw++, parameter.sizes(), dtype, at::kCPU)[0], 0.1);
  model.network().train();
  return model;
}

/// What a trainer minimizes: the mean over the batch.
Tensor mean_loss(const Trainable& objective, const TrainingInputs& inputs) {
  const Losses loss = objective.loss(inputs);
  return loss.sum / static_cast<double>(inputs.positions.size(0) * loss.elements);
}

}  // namespace

TEST_CASE("every objective's gradient is the difference quotient of its loss", "[training]") {
  TinySettings settings = tiny_settings();
  settings.objective.uncertainty = GENERATE(false, true);
  settings.objective.reduction = GENERATE(Reduction::kSum, Reduction::kMean);
  const DenoisingModel model = awake_model(at::kDouble);
  const auto objective = tiny_objective(model, settings, any_objective());
  const TrainingInputs inputs = objective->prepare(tiny_batch(8, 4));
  mean_loss(*objective, inputs).backward();

  const at::NoGradGuard no_grad;
  NamedTensors parameters = objective->parameters(), directions;
  double slope = 0.0;
  std::uint32_t draw = 0;
  const std::array sample = {std::int64_t{2}};
  for (auto& [name, tensor] : parameters) {
    REQUIRE(tensor.grad().defined());
    directions.emplace_back(name,
                            ops::normal(4, Stream::kWeights, sample, draw++, tensor.sizes(), at::kDouble, at::kCPU)[0]);
    slope += (tensor.grad() * directions.back().second).sum().item<double>();
  }
  const auto moved = [&](double h) {
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].second.add_(directions[i].second, h);
    return mean_loss(*objective, inputs).item<double>();
  };
  constexpr double h = 1e-6;  // error h² of the quotient beside rounding ε/h
  const double after = moved(h), before = moved(-2 * h);
  CHECK_THAT((after - before) / (2 * h), WithinRel(slope, 1e-6));
}

TEST_CASE("what an objective draws for an image depends on seed and position alone", "[training]") {
  const std::string type = any_objective();
  TinySettings settings = tiny_settings();
  const DenoisingModel model = awake_model(at::kFloat);
  const auto objective = tiny_objective(model, settings, type);
  const TrainingInputs together = objective->prepare(tiny_batch(40, 8));
  const Losses whole = objective->loss(together);
  CHECK(whole.images.sizes() == at::IntArrayRef{8});
  CHECK(whole.clock.sizes() == at::IntArrayRef{8});
  for (std::int64_t i = 0; i < 8; ++i) {
    const TrainingInputs alone = objective->prepare(tiny_batch(40 + i, 1));
    CHECK(alone.labels[0].equal(together.labels[i]));
    REQUIRE(alone.drawn.size() == together.drawn.size());
    for (std::size_t k = 0; k < alone.drawn.size(); ++k) CHECK(alone.drawn[k][0].equal(together.drawn[k][i]));
    // Noise and dropout too: equal up to the order of sums.
    const Losses part = objective->loss(alone);
    CHECK_THAT(part.images[0].item<double>(), WithinRel(whole.images[i].item<double>(), 1e-4));
    CHECK(part.clock[0].equal(whole.clock[i]));
  }
  settings.seed += 1;
  const auto other = tiny_objective(model, settings, type);
  CHECK_FALSE(other->loss(other->prepare(tiny_batch(40, 8))).images.equal(whole.images));
}

TEST_CASE("every objective's loss and gradient are finite over its whole clock", "[training]") {
  const std::string type = any_objective();
  const DenoisingModel model = awake_model(at::kFloat);
  for (const double level : {1e-3, 0.05, 1.0, 20.0, 1e3}) {
    INFO("level " << level);
    const auto objective = tiny_objective(model, tiny_settings(), type, [level](double) { return level; });
    const Losses loss = objective->loss(objective->prepare(tiny_batch(0, 4)));
    CHECK(loss.images.isfinite().all().item<bool>());
    loss.sum.backward();
    for (const auto& [name, tensor] : objective->parameters()) CHECK(tensor.grad().isfinite().all().item<bool>());
  }
}

TEST_CASE("every objective's loss falls in training", "[training]") {
  TinySettings settings = tiny_settings();
  settings.objective.label_dropout = 0.0;
  settings.objective.uncertainty = GENERATE(false, true);
  const DenoisingModel model = tiny_model(3, 0.0);
  auto objective = tiny_objective(model, settings, any_objective());
  const Trainable& measured = *objective;
  // On the same images with the same draws before and after, so that it differs by the weights
  // alone.
  const TrainingInputs inputs = measured.prepare(tiny_batch(0, 256));
  const auto loss = [&] {
    const at::NoGradGuard no_grad;
    return mean_loss(measured, inputs).item<double>();
  };
  Trainer trainer = tiny_trainer(std::move(objective), settings);
  const double early = loss();
  train_until(trainer, 8 * 120);
  const double late = loss();
  INFO("loss " << early << " -> " << late);
  CHECK(late < 0.75 * early);
  CHECK(trainer.steps() == 120);
}

TEST_CASE("a run that was saved, restored and went on has the same bits as one that never stopped", "[training]") {
  const std::string type = any_objective();
  TinySettings settings = tiny_settings();
  settings.clip_norm = 5.0;
  settings.weight_decay = 0.01;
  settings.objective.uncertainty = GENERATE(false, true);
  const auto trainer = [&](std::uint64_t seed) {
    return tiny_trainer(tiny_objective(tiny_model(3, 0.1, seed), settings, type), settings);
  };
  Trainer whole = trainer(1);
  train_until(whole, 6 * 8);

  const TemporaryFolder folder;
  const auto path = checkpoint_folder(folder.path(), 24);
  {
    Trainer first = trainer(1);
    train_until(first, 3 * 8);
    save_checkpoint(path, first.checkpoint("config"));
  }
  Trainer second = trainer(99);  // other initial weights
  second.restore(load_checkpoint(path));
  CHECK(second.images() == 24);
  CHECK(second.steps() == 3);
  train_until(second, 6 * 8);
  CHECK(same_state(second.checkpoint(""), whole.checkpoint("")));
  CHECK(same(second.weights(true), whole.weights(true)));
}
