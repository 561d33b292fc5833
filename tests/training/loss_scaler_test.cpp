#include "edmund/training/loss_scaler.h"

#include "edmund/training/trainer.h"
#include "helpers.h"
#include "support/catch.h"
#include "tiny_model.h"
#include "wrapped.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

using namespace edmund;
using namespace edmund::testing;

TEST_CASE("a scale grows after its interval, backs off at once, and not below its lowest", "[training]") {
  LossScaler scaler({.initial = 8, .growth = 4, .back_off = 0.25, .interval = 3, .lowest = 1});
  for (int i = 0; i < 2; ++i) CHECK_FALSE(scaler.update(true));
  CHECK(scaler.scale() == 8);
  CHECK_FALSE(scaler.update(true));
  CHECK(scaler.scale() == 32);
  scaler.update(true);
  CHECK(scaler.update(false));
  CHECK(scaler.scale() == 8);
  for (int i = 0; i < 2; ++i) scaler.update(true);
  CHECK(scaler.scale() == 8);  // counted anew
  CHECK(scaler.update(false));
  CHECK(scaler.update(false));
  CHECK(scaler.scale() == 1);
  CHECK_FALSE(scaler.update(false));  // it is not the scale
  for (int i = 0; i < 1000; ++i) scaler.update(true);
  CHECK(std::isfinite(static_cast<float>(scaler.scale())));

  std::map<std::string, double> counters;
  LossScaler other({.initial = 8, .growth = 4, .back_off = 0.25, .interval = 3, .lowest = 1}), fresh = other;
  other.update(true);
  other.update(true);
  other.save(counters);
  fresh.restore(counters);
  fresh.update(true);
  CHECK(fresh.scale() == 32);
  fresh.restore({});
  CHECK(fresh.scale() == 8);
}

TEST_CASE("a dynamic scale that is a power of two changes no bit of a training", "[training]") {
  TinySettings settings = tiny_settings();
  settings.clip_norm = GENERATE(0.0, 0.5);
  settings.micro_batch = GENERATE(0, 3);
  Trainer plain = tiny_trainer(settings);
  settings.dynamic_scale = DynamicScale{.initial = 1024, .interval = 2};
  Trainer scaled = tiny_trainer(settings);
  plain.keep_gradients(true);
  scaled.keep_gradients(true);
  const auto expected = train_until(plain, 64), found = train_until(scaled, 64);
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(found[i].gradient_norm == expected[i].gradient_norm);
  CHECK(same(scaled.last_gradients(), plain.last_gradients()));
  const Checkpoint a = plain.checkpoint(""), b = scaled.checkpoint("");
  CHECK(same(a.network, b.network));
  CHECK(same(a.ema, b.ema));
  CHECK(same(a.optimizer, b.optimizer));
  CHECK(b.counters.at("loss_scale.scale") == 1024 * 16);
}

TEST_CASE("a scale that is too high backs off for as long as it takes, and the training goes on", "[training]") {
  TinySettings settings = tiny_settings();
  settings.max_skipped = 3;
  settings.dynamic_scale = DynamicScale{.initial = 0x1p127};  // losses here are about 2^7
  Trainer first = tiny_trainer(settings), second = tiny_trainer(settings), whole = tiny_trainer(settings);
  train_until(first, 8 * 5);
  CHECK(first.steps() == 0);
  CHECK(first.fault().empty());  // nothing is wrong with the weights
  const Checkpoint checkpoint = first.checkpoint("");
  second.restore(checkpoint);
  train_until(second, 8 * 80);
  train_until(whole, 8 * 80);
  CHECK(whole.steps() >= 10);
  CHECK(whole.skipped() > 5);
  CHECK(same_state(second.checkpoint(""), whole.checkpoint("")));
}

TEST_CASE("what is no matter of the scale stops a training with a dynamic one too", "[training]") {
  TinySettings settings = tiny_settings();
  settings.max_skipped = 3;
  settings.dynamic_scale = DynamicScale{.initial = 4, .lowest = 1};
  std::set<std::int64_t> bad;
  for (std::int64_t at = 16; at < 400; at += 8) bad.insert(at);
  Trainer trainer = tiny_trainer(std::make_unique<Poisoned>(tiny_objective(tiny_model(), settings), bad), settings);
  CHECK(contains(error_of([&] { train_until(trainer, 400); }), "3 steps in a row"));
  CHECK(trainer.images() == 16 + 8 * (2 + 3));  // two halvings come before they count
}

TEST_CASE("a loss scale is a number or a mapping", "[training]") {
  const auto read = [](const std::string& text) {
    Options options = Options::read_text(text, "training");
    const TrainingSettings settings = training_settings(options);
    options.finish();
    return settings;
  };
  CHECK(read("{images: 1}").loss_scale == 1.0);
  CHECK_FALSE(read("{images: 1}").dynamic_scale.has_value());
  CHECK(read("{loss_scale: 100}").loss_scale == 100.0);
  CHECK(read("{loss_scale: {factor: 3}}").loss_scale == 3.0);
  CHECK(read("{loss_scale: dynamic}").dynamic_scale->initial == 65536.0);
  const auto dynamic =
      *read("{loss_scale: {type: dynamic, initial: 8, growth: 4, back_off: 0.25, interval: 10, lowest: 2}}")
           .dynamic_scale;
  CHECK(dynamic.initial == 8);
  CHECK(dynamic.growth == 4);
  CHECK(dynamic.back_off == 0.25);
  CHECK(dynamic.interval == 10);
  CHECK(dynamic.lowest == 2);
  for (const auto& [text, word] : {std::pair<std::string, std::string>{"{loss_scale: 0}", "loss_scale"},
                                   {"{loss_scale: {type: static}}", "loss_scale.type"},
                                   {"{loss_scale: {type: dynamic, back_off: 2}}", "back_off"},
                                   {"{loss_scale: {grwoth: 2}}", "grwoth"},
                                   {"{loss_scale: dynamic, nonfinite: zero}", "expected skip beside a loss_scale"}}) {
    INFO(text);
    CHECK(contains(error_of([&] { read(text); }), word));
  }
}
