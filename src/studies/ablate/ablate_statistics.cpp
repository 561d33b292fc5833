#include "edmund/core/text.h"
#include "edmund/evaluation/estimate.h"
#include "edmund/studies/ablate.h"

#include <algorithm>
#include <cmath>

namespace edmund {
namespace {

std::vector<std::string> levels_of(const std::vector<ArmSummary>& arms, std::size_t axis) {
  std::vector<std::string> out;
  for (const auto& arm : arms)
    if (std::find(out.begin(), out.end(), arm.levels[axis]) == out.end()) out.push_back(arm.levels[axis]);
  return out;
}

}  // namespace

std::string AblationArm::set_text() const { return join(std::vector<std::string_view>(set.begin(), set.end()), ", "); }

bool AblationPlan::several_seeds() const {
  return std::ranges::any_of(arms, [](const AblationArm& training) { return training.name != training.arm; });
}

const CellScore* main_score(const ComparisonTable& table, std::string_view training) {
  const CellResult* found = nullptr;
  for (const CellResult& cell : table.cells)
    if (cell.model == training && cell.score("frechet") != nullptr &&
        (found == nullptr || (cell.variant == found->variant && cell.nfe > found->nfe)))
      found = &cell;
  return found == nullptr ? nullptr : found->score("frechet");
}

std::vector<ArmSummary> arm_summaries(const AblationPlan& plan, const ComparisonTable& table) {
  struct Logs {
    std::vector<double> value, low, high, error;  // the error is relative
  };
  std::vector<ArmSummary> out;
  std::vector<Logs> logs;
  for (const AblationArm& training : plan.arms) {
    const CellScore* score = main_score(table, training.name);
    if (score == nullptr || !score->measured.low || !(score->measured.value > 0)) return {};
    const Measured& found = score->measured;
    if (out.empty() || out.back().arm != training.arm) {
      out.push_back({.arm = training.arm, .set = training.set_text(), .levels = training.levels});
      logs.emplace_back();
    }
    out.back().values.push_back(found.value);
    logs.back().value.push_back(std::log(found.value));
    logs.back().low.push_back(std::log(std::max(*found.low, 0.0)));
    logs.back().high.push_back(std::log(*found.high));
    logs.back().error.push_back(found.error.value_or(0.0) / found.value);
  }
  const auto base = std::ranges::find(plan.arms, table.baseline, &AblationArm::name);
  const auto same = [&](const ArmSummary& arm) { return base != plan.arms.end() && arm.arm == base->arm; };
  const auto baseline = static_cast<std::size_t>(std::find_if(out.begin(), out.end(), same) - out.begin());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Estimate mean = mean_estimate(logs[i].value);
    out[i].mean = std::exp(mean.value);
    out[i].seed_error = out[i].mean * mean.error;
    out[i].low = std::exp(mean_estimate(logs[i].low).value);
    out[i].high = std::exp(mean_estimate(logs[i].high).value);
    out[i].sampling_error = out[i].mean * mean_estimate(logs[i].error).value;
    if (baseline == out.size()) continue;
    std::vector<double> ratios;
    for (std::size_t k = 0; k < logs[i].value.size(); ++k) ratios.push_back(logs[i].value[k] - logs[baseline].value[k]);
    const Estimate ratio = mean_estimate(ratios);
    out[i].times_baseline = std::exp(ratio.value);
    out[i].times_error = *out[i].times_baseline * ratio.error;
  }
  return out;
}

std::vector<MainEffect> main_effects(const AblationPlan& plan, const ComparisonTable& table) {
  const std::vector<ArmSummary> arms = arm_summaries(plan, table);
  std::vector<MainEffect> out;
  if (arms.empty()) return out;
  const auto count = static_cast<double>(arms.size()), seeds = static_cast<double>(arms.front().values.size());
  double mean = 0.0, squares = 0.0;  // within arms
  for (const ArmSummary& arm : arms) {
    mean += std::log(arm.mean) / count;
    for (const double value : arm.values) squares += std::pow(std::log(value / arm.mean), 2);
  }
  const double freedom = count * (seeds - 1), variance = freedom > 0 ? squares / freedom : 0.0;
  for (std::size_t axis = 0; axis < plan.axes.size(); ++axis)
    for (const auto& level : levels_of(arms, axis)) {
      double sum = 0.0, own = 0.0, sampling = 0.0;
      for (const ArmSummary& arm : arms) {
        if (arm.levels[axis] != level) continue;
        sum += std::log(arm.mean), own += 1;
        sampling += std::pow(arm.sampling_error / arm.mean, 2);
      }
      const double effect = sum / own - mean;
      // The level's trainings are part of all trainings.
      const double error = freedom > 0
                               ? student_quantile(0.975, freedom) * std::sqrt(variance * (1 / own - 1 / count) / seeds)
                               : 1.96 * std::sqrt(sampling) / own;
      out.push_back({plan.axes[axis], level, std::exp(effect), std::exp(effect - error), std::exp(effect + error)});
    }
  return out;
}

}  // namespace edmund
