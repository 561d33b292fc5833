// Training on a GPU. Skipped where there is none.
#include "support/gpu.h"

#include "edmund/networks/network.h"
#include "edmund/training/trainer.h"
#include "support/catch.h"
#include "tiny_model.h"

#include <ATen/ATen.h>
#include <cmath>
#include <limits>

using namespace edmund;
using namespace edmund::testing;
using Catch::Matchers::WithinRel;

namespace {

Trainer trainer_on(at::Device device, const TinySettings& settings) {
  const DenoisingModel model = tiny_model(), ema = tiny_model();
  for (const auto* one : {&model, &ema}) one->network().to(device);
  return {tiny_objective(model, settings), ema.shared_network(), tiny_ema(), settings};
}

void check_alike(const std::vector<StepReport>& found, const std::vector<StepReport>& expected, double tolerance) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO("step " << i);
    CHECK_THAT(found[i].loss, WithinRel(expected[i].loss, tolerance));
    CHECK_THAT(found[i].gradient_norm, WithinRel(expected[i].gradient_norm, 10 * tolerance));
    CHECK(found[i].clock == expected[i].clock);
    CHECK(found[i].learning_rate == expected[i].learning_rate);
    CHECK(found[i].ema_beta == expected[i].ema_beta);
    CHECK(found[i].images == expected[i].images);
  }
}

}  // namespace

TEST_CASE("training on a GPU, recorded or not, takes the steps that the CPU takes", "[training][gpu]") {
  const UseGpu gpu;
  TinySettings settings = tiny_settings();
  settings.objective.uncertainty = GENERATE(false, true);
  settings.clip_norm = GENERATE(0.0, 1.0);
  Trainer on_cpu = trainer_on(at::kCPU, settings), recorded = trainer_on(gpu.device(), settings),
          plain = trainer_on(gpu.device(), settings);
  const auto expected = train_until(on_cpu, 8 * 8), with = train_until(recorded, 8 * 8);
  ops::set_graphs(ops::Graphs::kOff);
  const auto without = train_until(plain, 8 * 8);
  check_alike(with, without, 1e-4);
  check_alike(with, expected, 1e-3);  // rounding grows from step to step
  const auto weights = recorded.weights(/*ema=*/true), theirs = on_cpu.weights(true);
  for (std::size_t i = 0; i < weights.size(); ++i)
    CHECK(at::allclose(weights[i].second.cpu(), theirs[i].second, 1e-2, 1e-3));
}

TEST_CASE("a checkpoint of a GPU goes on there and on the CPU", "[training][gpu]") {
  const UseGpu gpu;
  Trainer first = trainer_on(gpu.device(), tiny_settings()), there = trainer_on(gpu.device(), tiny_settings()),
          here = trainer_on(at::kCPU, tiny_settings());
  train_until(first, 8 * 5);
  const Checkpoint checkpoint = first.checkpoint("");
  for (const auto& [name, tensor] : checkpoint.network) CHECK(tensor.is_cpu());
  there.restore(checkpoint);
  here.restore(checkpoint);
  const auto expected = train_until(first, 8 * 9);
  check_alike(train_until(there, 8 * 9), expected, 1e-4);
  check_alike(train_until(here, 8 * 9), expected, 1e-3);
}

TEST_CASE("a recorded step without a finite gradient changes nothing", "[training][gpu]") {
  const UseGpu gpu;
  TinySettings settings = tiny_settings();
  settings.loss_scale = std::numeric_limits<double>::max();  // infinite in float32
  Trainer trainer = trainer_on(gpu.device(), settings);
  const auto before = trainer.checkpoint("");
  for (int i = 0; i < 6; ++i) CHECK(trainer.step(tiny_batch(trainer.images(), 8)).skipped);
  CHECK(trainer.steps() == 0);
  CHECK(trainer.skipped() == 6);
  const auto after = trainer.checkpoint("");
  for (std::size_t i = 0; i < before.network.size(); ++i)
    CHECK(before.network[i].second.equal(after.network[i].second));
}
