// Steps as recorded work, on the CPU's recorder: what a GPU replays is what runs unrecorded, to the
// bit.
#include "edmund/ops/device.h"
#include "edmund/training/objective.h"
#include "helpers.h"
#include "support/catch.h"
#include "support/cpu_recorder.h"
#include "tiny_model.h"
#include "wrapped.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

using namespace edmund;
using namespace edmund::testing;

namespace {

/// Trains with the recorder and without it, and compares everything.
template <typename Make>
void check_alike(const Make& make, int steps) {
  const CpuRecorder recorder;
  Trainer recorded = make(), plain = make();
  const auto with = train_until(recorded, 8 * steps);
  CHECK(CpuRecorder::replays() == steps - 4);  // three warm up, the fourth is recorded
  ops::set_graphs(ops::Graphs::kOff);
  const auto without = train_until(plain, 8 * steps);
  CHECK(CpuRecorder::replays() == steps - 4);
  for (std::size_t i = 0; i < with.size(); ++i) {
    INFO("step " << i);
    CHECK(with[i].clock == without[i].clock);
    CHECK(with[i].skipped == without[i].skipped);
    CHECK(with[i].learning_rate == without[i].learning_rate);
    CHECK(with[i].ema_beta == without[i].ema_beta);
    CHECK(std::ranges::equal(with[i].losses, without[i].losses,
                             [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }));
    if (with[i].skipped) continue;  // its norm is no number
    CHECK(with[i].gradient_norm == without[i].gradient_norm);
  }
  CHECK(same_state(recorded.checkpoint(""), plain.checkpoint("")));
}

}  // namespace

TEST_CASE("recorded steps of every objective have the bits of plain ones", "[training]") {
  const std::string type(GENERATE(from_range(names(objective_table()))));
  TinySettings settings = tiny_settings();
  settings.objective.uncertainty = GENERATE(false, true);
  settings.clip_norm = GENERATE(0.0, 1.0);
  settings.weight_decay = 0.01;
  check_alike([&] { return tiny_trainer(tiny_objective(tiny_model(), settings, type), settings); }, 8);
}

TEST_CASE("recorded steps without a finite gradient are skipped, or cleaned, as plain ones are", "[training]") {
  TinySettings settings = tiny_settings();
  settings.nonfinite = GENERATE(NonFinite::kSkip, NonFinite::kZero);
  check_alike(
      [&] {
        return tiny_trainer(
            std::make_unique<Poisoned>(tiny_objective(tiny_model(), settings), std::set<std::int64_t>{8, 40, 48}),
            settings);
      },
      8);
}

TEST_CASE("a batch of another size, or in parts, is not recorded", "[training]") {
  const CpuRecorder recorder;
  TinySettings settings = tiny_settings();
  Trainer trainer = tiny_trainer(settings);
  train_until(trainer, 8 * 5);
  CHECK(CpuRecorder::replays() == 1);
  train_until(trainer, 8 * 5 + 5, 5);
  CHECK(CpuRecorder::replays() == 1);
  train_until(trainer, 8 * 6 + 5);
  CHECK(CpuRecorder::replays() == 2);
  settings.micro_batch = 4;
  Trainer split = tiny_trainer(settings);
  train_until(split, 8 * 6);
  CHECK(CpuRecorder::replays() == 2);
}
