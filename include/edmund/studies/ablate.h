#pragma once

#include "edmund/core/error.h"
#include "edmund/studies/compare.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace edmund {

/// An ablation (`edmund ablate X.yaml`): one config trained in several arms with the same seeds and
/// data order, then sampled and scored as a comparison.
///
///   name      ablation
///   config    required   the base config, relative to this file
///   set       []         overrides `key.path=value` of all arms
///   arms      []         list of {name, set}: one training each; or
///   axes      []         list of {name, arms: [{name, set}]}: a training for each combination
///   seeds     [0]        a training of each arm for each: `seed` of its config
///   compare   {}         images, nfe, metrics, variants … as in a comparison (see compare.h), its
///                        `models`
///                        being the arms; where the baseline (the first arm unless named) is an
///                        arm, differences are to its training of the same seed
struct AblationArm {
  std::string name;  // of this training: the arm's, and its seed if there are several
  std::string arm = "";
  std::vector<std::string> set;     // overrides, in order
  std::vector<std::string> levels;  // of each axis; empty without axes
  std::int64_t seed = 0;

  std::string set_text() const;  // the overrides, joined by commas
};
struct AblationPlan {
  std::string name;
  std::filesystem::path config, folder;  // where paths in `set` start: that of the plan's file
  std::vector<std::string> axes;
  std::vector<AblationArm> arms;

  bool several_seeds() const;
};

/// Reads the plan, builds every arm's config and lays every variant over it, so that all mistakes
/// come before the first training.
AblationPlan read_ablation(const std::filesystem::path& file, std::span<const std::string> overrides,
                           Needs needs = Needs::kData);

/// What the readers of an ablation say of its keys.
std::vector<OptionFacts> ablation_facts(Options root);

/// Where an arm is trained.
RunFolder folder_of(const AblationArm& arm, const std::filesystem::path& out);

/// Trains the arms with index % shards == shard, each in OUT/arms/NAME, going on where an earlier
/// run stopped. kInterrupted after a saved stop.
ExitCode train_arms(const AblationPlan& plan, const std::filesystem::path& out, std::int64_t shard,
                    std::int64_t shards);
/// Whether every arm is trained to its end.
bool trained(const AblationPlan& plan, const std::filesystem::path& out);
/// Writes the comparison of the arms: OUT/comparison.yaml.
std::filesystem::path write_comparison(const AblationPlan& plan, const std::filesystem::path& file,
                                       std::span<const std::string> overrides, const std::filesystem::path& out);

/// The Fréchet distance that a training is judged by: of the first variant at the largest budget.
/// Null if there is none.
const CellScore* main_score(const ComparisonTable& table, std::string_view training);

/// The trainings of one arm, one a seed, taken together: Fréchet distances of the first variant at
/// the largest budget.
struct ArmSummary {
  std::string arm, set;             // overrides, as text
  std::vector<std::string> levels;  // of each axis
  std::vector<double> values;       // of each seed, in the plan's order
  double mean = 0.0;                // geometric
  double seed_error = 0.0;          // of the mean, by the spread over seeds; 0 for one
  // Of sampling alone, as if all seeds shared its error: geometric means of the ends of the
  // bootstrap's intervals (low is 0 if one of them is), and the mean of its standard errors.
  double low = 0.0, high = 0.0, sampling_error = 0.0;
  // If the baseline is an arm: geometric mean of the ratios to its trainings of the same seeds, and
  // its standard error.
  std::optional<double> times_baseline = {};
  double times_error = 0.0;
};
/// In the plan's order. Empty where a distance or its interval is missing, or one is not positive,
/// since ratios are compared.
std::vector<ArmSummary> arm_summaries(const AblationPlan& plan, const ComparisonTable& table);

/// Effect of one level of an axis: the mean over all trainings that have it of the logarithm of the
/// Fréchet distance (the first variant, the largest budget), less the mean over all, as a factor
/// with a 95 % interval: by the spread over seeds within arms where there are several seeds
/// (Student's t), else by the bootstrap's errors alone.
struct MainEffect {
  std::string axis, level;
  double factor = 1.0, low = 1.0, high = 1.0;
};
std::vector<MainEffect> main_effects(const AblationPlan& plan, const ComparisonTable& table);

/// Colors of arms and dashes of seeds on the page.
std::vector<ModelLook> looks_of(const AblationPlan& plan);
/// Arms, effects, pairs of axes and losses, for the page.
void add_ablation(Page& page, const AblationPlan& plan, const std::filesystem::path& out, const ComparisonTable& table);
/// The same as files: OUT/arms.csv, a line a training and, where there are several seeds, one an
/// arm (seed "all"), and OUT/arms.json with the effects.
void write_arms(const AblationPlan& plan, const std::filesystem::path& out, const ComparisonTable& table);

}  // namespace edmund
