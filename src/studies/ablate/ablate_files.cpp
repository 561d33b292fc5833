#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/io/csv.h"
#include "edmund/studies/ablate.h"
#include "edmund/studies/comparison_files.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

using nlohmann::ordered_json;

std::string csv_of(const AblationArm& training, const CellScore* score) {
  const Measured found = score != nullptr ? score->measured : Measured{.value = NAN},
                 less = score != nullptr ? score->difference.value_or(Measured{.value = NAN}) : found;
  return csv_line({csv_text(training.arm), number_text(training.seed), csv_text(training.set_text()),
                   csv_number(found.value), csv_number(found.error), csv_number(found.low), csv_number(found.high),
                   csv_number(less.value), csv_number(less.low), csv_number(less.high), "", "", ""});
}

std::string csv_of(const ArmSummary& arm) {
  const bool ratio = arm.times_baseline.has_value();
  return csv_line({csv_text(arm.arm), "all", csv_text(arm.set), csv_number(arm.mean), csv_number(arm.sampling_error),
                   csv_number(arm.low), csv_number(arm.high), "", "", "", csv_number(arm.seed_error),
                   csv_number(arm.times_baseline), ratio ? csv_number(arm.times_error) : ""});
}

ordered_json json_of(const AblationArm& training, const CellScore* score) {
  return {{"arm", training.arm},
          {"seed", training.seed},
          {"set", training.set},
          {"frechet", score != nullptr ? json_of(*score) : ordered_json::object()}};
}

ordered_json json_of(const ArmSummary& arm) {
  ordered_json out = {{"arm", arm.arm},
                      {"seeds", arm.values.size()},
                      {"mean", arm.mean},
                      {"seed_error", arm.seed_error},
                      {"sampling_error", arm.sampling_error},
                      {"low", arm.low},
                      {"high", arm.high}};
  if (arm.times_baseline) {
    out["times_baseline"] = *arm.times_baseline;
    out["times_error"] = arm.times_error;
  }
  return out;
}

ordered_json json_of(const MainEffect& effect) {
  return {{"axis", effect.axis},
          {"level", effect.level},
          {"factor", effect.factor},
          {"low", effect.low},
          {"high", effect.high}};
}

}  // namespace

void write_arms(const AblationPlan& plan, const std::filesystem::path& out, const ComparisonTable& table) {
  std::string csv =
      "arm,seed,set,value,error,low,high,difference,difference_low,difference_high,seed_error,times_baseline,times_"
      "error\n";
  ordered_json json = {{"name", plan.name}, {"baseline", table.baseline}};
  for (const AblationArm& training : plan.arms) {
    const CellScore* score = main_score(table, training.name);
    csv += csv_of(training, score);
    json["trainings"].push_back(json_of(training, score));
  }
  for (const ArmSummary& arm : arm_summaries(plan, table)) {
    if (plan.several_seeds()) csv += csv_of(arm);
    json["arms"].push_back(json_of(arm));
  }
  for (const MainEffect& effect : main_effects(plan, table)) json["effects"].push_back(json_of(effect));
  write_file(out / "arms.csv", csv);
  write_file(out / "arms.json", json_text(json, 1) + "\n");
}

}  // namespace edmund
