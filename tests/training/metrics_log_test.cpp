// metrics.jsonl of a run that was stopped or killed after any step is that of a run that was not.
#include "edmund/training/metrics_log.h"

#include "edmund/core/files.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

namespace edmund::testing {
namespace {

constexpr std::int64_t kBatch = 4, kSteps = 12, kLogEvery = 3;  // images; steps; steps
const LossClock kClock{.name = "sigma", .range = {0.01, 100}};

StepReport report_of(std::int64_t step) {
  StepReport out{.images = (step + 1) * kBatch, .loss = 1 / (3.0 + static_cast<double>(step)), .learning_rate = 1e-3};
  out.gradient_norm = std::sqrt(static_cast<double>(step) + 2);
  out.skipped = step == 4;
  for (std::int64_t i = 0; i < kBatch; ++i) {
    out.clock.push_back(0.01 * std::pow(10, 0.3 * static_cast<double>(step + i)));
    out.losses.push_back(1 / (7.0 + static_cast<double>(i * step)));
  }
  if (step == 8) out.loss = std::numeric_limits<double>::infinity();  // `nonfinite: zero` goes on
  return out;
}

// Steps begin … end - 1 as a process takes them, with a line every kLogEvery steps.
void run(MetricsLog& log, std::int64_t begin, std::int64_t end) {
  for (std::int64_t step = begin; step < end; ++step) {
    log.add(report_of(step));
    if ((step + 1) % kLogEvery == 0) log.write(100.0 + static_cast<double>(begin), static_cast<double>(step), 1);
  }
}

}  // namespace

TEST_CASE("metrics of a run that was stopped or killed after any step are those of one that was not", "[training]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "metrics.jsonl";
  {
    MetricsLog log(folder / "whole.jsonl", kClock, 0);
    run(log, 0, kSteps);
  }
  const std::string whole = read_file(folder / "whole.jsonl");
  CHECK(whole.find("per_second") == whole.npos);
  for (std::int64_t saved = 0; saved <= kSteps; ++saved)
    for (std::int64_t died = saved; died <= kSteps; ++died) {
      INFO("a checkpoint after " << saved << " steps, the end after " << died);
      std::filesystem::remove(file);
      std::filesystem::remove(folder / "timing.jsonl");
      std::map<std::string, double> counters;
      {
        MetricsLog log(file, kClock, 0);
        run(log, 0, saved);
        log.save(counters);
        run(log, saved, died);
      }
      for (const auto& [name, value] : counters) CHECK(std::isfinite(value));
      MetricsLog log(file, kClock, saved * kBatch);
      log.restore(counters);
      run(log, saved, kSteps);
      CHECK(read_file(file) == whole);
      const std::string timing = read_file(folder / "timing.jsonl");
      CHECK(std::count(timing.begin(), timing.end(), '\n') == kSteps / kLogEvery);
    }
}

TEST_CASE("a checkpoint without sums is gone on from with none", "[training]") {
  const TemporaryFolder folder;
  MetricsLog log(folder / "metrics.jsonl", kClock, 0);
  log.restore({{"seconds", 1.0}});
  CHECK(log.empty());
  CHECK(log.mean_loss() == 0.0);
}

}  // namespace edmund::testing
