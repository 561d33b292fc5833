// What the trainer promises to any Trainable.
#include "edmund/training/trainable.h"

#include "edmund/networks/network.h"
#include "edmund/ops/device.h"
#include "helpers.h"
#include "support/catch.h"
#include "support/cpu_recorder.h"
#include "tiny_model.h"
#include "wrapped.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <memory>
#include <set>
#include <string>

using namespace edmund;
using namespace edmund::testing;

namespace {

/// Trains one layer of the network; the others are frozen.
class OneLayer : public Wrapped {
 public:
  using Wrapped::Wrapped;
  NamedTensors parameters() const override {
    NamedTensors out;
    for (const auto& entry : Wrapped::parameters())
      if (entry.first.starts_with(kLayer)) out.push_back(entry);
    return out;
  }
  static constexpr const char* kLayer = "dec.8x8_block0.conv1.";
};

/// Holds the weights in [-0.05, 0.05].
class Bounded : public Wrapped {
 public:
  using Wrapped::Wrapped;
  void stepped() override {
    const at::NoGradGuard no_grad;
    for (auto& [name, tensor] : parameters()) tensor.clamp_(-kBound, kBound);
  }
  static constexpr double kBound = 0.0625;  // a float too
};

Trainer one_layer_trainer(std::uint64_t seed = 1) {
  const TinySettings settings = tiny_settings();
  return tiny_trainer(std::make_unique<OneLayer>(tiny_objective(tiny_model(3, 0.1, seed), settings)), settings);
}

}  // namespace

TEST_CASE("where one layer is trained the others keep their bits, in weights and EMA", "[training]") {
  Trainer trainer = one_layer_trainer();
  const Checkpoint before = trainer.checkpoint("");
  train_until(trainer, 5 * 8);
  const Checkpoint after = trainer.checkpoint("");
  int changed = 0;
  const auto check = [&](const NamedTensors& now, const NamedTensors& then) {
    REQUIRE(now.size() == then.size());
    for (std::size_t i = 0; i < now.size(); ++i) {
      INFO(now[i].first);
      const bool trained = now[i].first.starts_with(OneLayer::kLayer);
      CHECK(now[i].second.equal(then[i].second) != trained);
      changed += trained ? 1 : 0;
    }
  };
  check(after.network, before.network);
  check(after.ema, before.ema);
  CHECK(changed == 4);  // weight and bias, in both

  REQUIRE(after.optimizer.size() == 6);  // moments and what rounding left, none of the frozen ones
  for (const auto& [name, tensor] : after.optimizer) CHECK(contains(name, OneLayer::kLayer));
}

TEST_CASE("what is frozen takes no gradient", "[training]") {
  const DenoisingModel model = tiny_model();
  const TinySettings settings = tiny_settings();
  Trainer trainer = tiny_trainer(std::make_unique<OneLayer>(tiny_objective(model, settings)), settings);
  train_until(trainer, 8);
  for (const auto& [name, tensor] : parameters_of(model.network())) {
    CHECK(tensor.requires_grad() == name.starts_with(OneLayer::kLayer));
    CHECK_FALSE(tensor.grad().defined());
  }
}

TEST_CASE("a training of one layer goes on with the same bits", "[training]") {
  Trainer whole = one_layer_trainer(), first = one_layer_trainer(), second = one_layer_trainer(99);
  train_until(whole, 6 * 8);
  train_until(first, 3 * 8);
  second.restore(first.checkpoint(""));
  train_until(second, 6 * 8);
  CHECK(same_state(second.checkpoint(""), whole.checkpoint("")));
}

TEST_CASE("the hook runs after every step, recorded or not, and the next step starts from what it left", "[training]") {
  const CpuRecorder recorder;
  ops::set_graphs(GENERATE(ops::Graphs::kOn, ops::Graphs::kOff));
  const TinySettings settings = tiny_settings();
  const auto make = [&](bool bounded) {
    auto objective = tiny_objective(tiny_model(), settings);
    if (bounded) objective = std::make_unique<Bounded>(std::move(objective));
    return tiny_trainer(std::move(objective), settings);
  };
  Trainer trainer = make(true), free = make(false);
  const auto largest = [](const Trainer& of) {
    double out = 0.0;
    for (const auto& [name, tensor] : of.weights(false))
      if (!contains(name, "resample_filter")) out = std::max(out, tensor.abs().max().item<double>());
    return out;
  };
  for (std::int64_t step = 1; step <= 6; ++step) {
    train_until(trainer, 8 * step);
    CHECK(largest(trainer) <= Bounded::kBound);
  }
  train_until(free, 8 * 6);
  CHECK(largest(free) > Bounded::kBound);
}

TEST_CASE("training normalizes the weights of edm2 after each step", "[training]") {
  const auto network = [] {
    Options options = Options::read_text("{type: edm2, channels: 8, multipliers: [1, 2], blocks: 1}", "network");
    auto out = make_network(options, {.image = {.channels = 2, .height = 8, .width = 8}, .num_classes = 3});
    out->initialize(1);
    return out;
  };
  Options none;
  const DenoisingModel model(network(), make_preconditioning(none), [](const Tensor&) { return Tensor(); });
  const TinySettings settings = tiny_settings();
  Trainer trainer(tiny_objective(model, settings), network(), tiny_ema(), settings);
  train_until(trainer, 5 * 8);
  for (const auto& item : model.network().named_parameters()) {
    if (item.value().dim() == 0) continue;  // gains are free
    INFO(item.key());
    const Tensor magnitude = item.value().detach().flatten(1).square().mean(1).sqrt();
    // 1 - 1e-4/n, where n is what Adam made of 1 in a step of rate 0.01
    CHECK((magnitude - (1 - 1e-4)).abs().max().item<double>() < 1e-5);
  }
}
