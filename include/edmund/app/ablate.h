#pragma once

#include "edmund/app/compare.h"
#include "edmund/core/error.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace edmund {

/// An ablation (`edmund ablate X.yaml`): one config trained in several arms with the same seeds and data order, then sampled and scored as a comparison.
///
///   name      ablation
///   config    required   the base config, relative to this file
///   set       []         overrides `key.path=value` of all arms
///   arms      []         list of {name, set}: one training each; or
///   axes      []         list of {name, arms: [{name, set}]}: a training for each combination
///   seeds     [0]        a training of each arm for each: `seed` of its config
///   compare   {}         images, nfe, metrics, variants … as in a comparison (see compare.h), its `models` being the arms
struct AblationArm {
  std::string name;
  std::vector<std::string> set;     // overrides, in order
  std::vector<std::string> levels;  // of each axis; empty without axes
  std::int64_t seed = 0;
};
struct AblationPlan {
  std::string name;
  std::filesystem::path config;
  std::vector<std::string> axes;
  std::vector<AblationArm> arms;
};

/// Reads the plan and builds every arm's config, so that all mistakes come before the first training.
AblationPlan read_ablation(const std::filesystem::path& file, std::span<const std::string> overrides);

/// Trains the arms with index % shards == shard, each in OUT/arms/NAME, going on where an earlier run stopped. kInterrupted after a saved stop.
ExitCode train_arms(const AblationPlan& plan, const std::filesystem::path& out, std::int64_t shard,
                    std::int64_t shards);
/// Whether every arm is trained to its end.
bool trained(const AblationPlan& plan, const std::filesystem::path& out);
/// Writes the comparison of the arms: OUT/comparison.yaml.
std::filesystem::path write_comparison(const AblationPlan& plan, const std::filesystem::path& file,
                                       std::span<const std::string> overrides, const std::filesystem::path& out);

/// Effect of one level of an axis: the mean over all arms that have it of the logarithm of the Fréchet distance (the first variant, the largest
/// budget), less the mean over all arms, as a factor.
struct MainEffect {
  std::string axis, level;
  double factor = 1.0, low = 1.0, high = 1.0;  // with the interval that the arms' intervals give
};
std::vector<MainEffect> main_effects(const AblationPlan& plan, const nlohmann::ordered_json& table);
/// Arms and effects, for the page.
void add_ablation(Page& page, const AblationPlan& plan, const std::filesystem::path& out,
                  const nlohmann::ordered_json& table);

}  // namespace edmund
