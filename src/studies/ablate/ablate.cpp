#include "edmund/studies/ablate.h"

#include "edmund/app/run.h"
#include "edmund/core/files.h"
#include "edmund/core/folder_lock.h"
#include "edmund/core/log.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"
#include "edmund/networks/state_dict.h"
#include "edmund/studies/label.h"
#include "edmund/training/checkpoint.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace edmund {
namespace {

namespace fs = std::filesystem;

// Every combination of one arm of each axis.
void combine(std::vector<Options>& axes, std::size_t axis, const AblationArm& so_far, std::vector<AblationArm>& out) {
  if (axis == axes.size()) {
    out.push_back(so_far);
    return;
  }
  auto levels = axes[axis].children("arms", "levels of the factor");
  axes[axis].check(!levels.empty(), "arms", "expected a list of {name, set}, found none");
  for (Options& level : levels) {
    AblationArm arm = so_far;
    const std::string name = required_label(level, "of the level in tables and plots");
    arm.name += (arm.name.empty() ? "" : " ") + name;
    arm.levels.push_back(name);
    for (auto& text : level.texts("set", {}, "overrides key.path=value of this level"))
      arm.set.push_back(std::move(text));
    combine(axes, axis + 1, arm, out);
  }
}

std::string folder_name(const std::string& arm) {
  std::string out = arm;
  for (char& c : out)
    if (c == '/' || c == ' ') c = '-';
  return out;
}

std::vector<std::string> overrides_of(const AblationArm& arm) {
  std::vector<std::string> out = arm.set;
  out.push_back(format("seed={}", arm.seed));
  return out;
}

RunConfig config_of(const AblationPlan& plan, const AblationArm& arm) {
  return parse(Options::read_file(plan.config, overrides_of(arm), plan.folder));
}

Experiment constructed(const AblationPlan& plan, const AblationArm& arm, Needs needs) {
  try {
    return construct(config_of(plan, arm), needs);
  } catch (const Error& error) {
    fail("arm '{}': {}", arm.name, error.what());
  }
}

// The arm's training of a seed (none given: the first), null if there is none.
const AblationArm* training_of(const AblationPlan& plan, const std::string& arm,
                               std::optional<std::int64_t> seed = std::nullopt) {
  const auto found = std::find_if(plan.arms.begin(), plan.arms.end(), [&](const AblationArm& training) {
    return training.arm == arm && (!seed || training.seed == *seed);
  });
  return found == plan.arms.end() ? nullptr : &*found;
}

// `compare:` as a comparison of the arms, where an arm that is the baseline is called by the name
// of its first training.
Options comparison_of(const AblationPlan& plan, const fs::path& file, std::span<const std::string> overrides) {
  const std::string baseline =
      Options::read_file(file, overrides).child("compare").text("baseline", plan.arms.front().arm);
  std::vector<std::string> all(overrides.begin(), overrides.end());
  if (const AblationArm* base = training_of(plan, baseline))
    all.push_back("compare.baseline=" + Options::quoted(base->name));
  Options root = Options::read_file(file, all);
  for (const auto& key : root.keys())
    if (key != "compare") root.defer(key);
  Options compare = root.child("compare");
  compare.stand_on("{variants: [{name: as trained, sampling: {}}]}", "ablate");
  return compare;
}

// Differences are to the training of the same seed, where the baseline is an arm.
std::vector<ComparePlan::Model> models_of(const AblationPlan& plan, const std::string& baseline, const fs::path& out) {
  const auto base =
      std::find_if(plan.arms.begin(), plan.arms.end(), [&](const AblationArm& arm) { return arm.name == baseline; });
  std::vector<ComparePlan::Model> models;
  for (const AblationArm& arm : plan.arms) {
    const AblationArm* same = base == plan.arms.end() ? nullptr : training_of(plan, base->arm, arm.seed);
    models.push_back({arm.name, folder_of(arm, out).path.string(), same ? same->name : ""});
  }
  return models;
}

void check_comparison(const AblationPlan& plan, Options compare, const Experiment& experiment) {
  const ComparePlan compared = read_comparison(compare, models_of(plan, "", {}));
  check_variants(compare, compared, experiment);
  compare.finish();
}

// What would be missed only when all is trained.
void check_features(const AblationArm& arm, const Experiment& experiment) {
  const auto values = experiment.config.options.flattened();
  const auto file = values.find("evaluation.features.file");
  require(file == values.end() || fs::exists(file->second),
          "arm '{}': evaluation.features.file: {} is not there; its features score the arms", arm.name, file->second);
}

// Whether an arm needs no more training. Its report comes last, after the pictures; held-out images
// may have ended it before its last image.
bool finished(const RunFolder& run, const RunConfig& config) {
  const auto newest = newest_checkpoint(run.path);
  const bool to_the_end = newest && read_header(*newest).images >= config.training.images;
  return newest && (to_the_end || config.validation.patience > 0) && fs::exists(run.report());
}

// What the file says, before arms and seeds meet.
struct AblationKeys {
  std::string name;
  fs::path config;
  std::vector<std::string> axes;
  std::vector<AblationArm> arms;
  std::vector<std::int64_t> seeds;
};

AblationKeys read_keys(Options& root) {
  AblationKeys out{.name = root.text("name", "ablation", "title of the report; results go to runs/NAME"),
                   .config = root.required_path("config", "the base config, relative to this file")};
  if (const std::string fault = name_fault(out.name); !fault.empty()) root.reject("name", fault);
  const std::vector<std::string> common = root.texts("set", {}, "overrides key.path=value of every arm");
  auto axes = root.children("axes", "factors, in place of arms: one training for each combination of their levels");
  for (Options& axis : axes) out.axes.push_back(required_label(axis, "of the factor"));
  if (!axes.empty()) {
    root.check(!root.has("arms"), "arms", "excludes axes: give one of them");
    combine(axes, 0, {.set = common}, out.arms);
  }
  for (Options& arm : root.children("arms", "trainings that differ in their overrides")) {
    out.arms.push_back({.name = required_label(arm, "of the arm in tables and plots"), .set = common});
    for (auto& text : arm.texts("set", {}, "overrides key.path=value of this arm"))
      out.arms.back().set.push_back(std::move(text));
  }
  for (const AblationArm& arm : out.arms)
    if (const std::string fault = name_fault(folder_name(arm.name)); !fault.empty()) root.reject("", "arms: " + fault);
  root.check(!out.arms.empty(), "arms", "expected a list of {name, set}, found none");
  out.seeds = root.integers("seeds", {0}, at_least(0), "every arm is trained once for each");
  root.check(!out.seeds.empty(), "seeds", "expected at least one seed");
  return out;
}

}  // namespace

std::vector<OptionFacts> ablation_facts(Options root) {
  read_keys(root);
  comparison_facts(root.child("compare", "keys of a comparison, whose models are the arms"),
                   {{.name = "arm", .run = ""}});
  return root.facts();
}

RunFolder folder_of(const AblationArm& arm, const fs::path& out) { return {out / "arms" / folder_name(arm.name)}; }

AblationPlan read_ablation(const fs::path& file, std::span<const std::string> overrides, Needs needs) {
  Options root = Options::read_file(file, overrides);
  AblationKeys keys = read_keys(root);
  root.defer("compare");
  root.finish();
  AblationPlan plan{
      .name = keys.name, .config = keys.config, .folder = file.parent_path(), .axes = std::move(keys.axes)};
  for (const AblationArm& arm : keys.arms)
    for (const std::int64_t seed : keys.seeds) {
      plan.arms.push_back(arm);
      plan.arms.back().arm = arm.name;
      plan.arms.back().seed = seed;
      if (keys.seeds.size() > 1) plan.arms.back().name += format(" seed {}", seed);
    }
  for (const AblationArm& arm : plan.arms) {
    require(
        std::count_if(plan.arms.begin(), plan.arms.end(),
                      [&](const AblationArm& other) { return folder_name(other.name) == folder_name(arm.name); }) == 1,
        "{}: arm '{}' stands there twice", file.string(), arm.name);
    const Experiment experiment = constructed(plan, arm, needs);
    check_comparison(plan, comparison_of(plan, file, overrides), experiment);
    if (needs == Needs::kData) check_features(arm, experiment);
  }
  return plan;
}

ExitCode train_arms(const AblationPlan& plan, const fs::path& out, std::int64_t shard, std::int64_t shards) {
  for (std::size_t i = 0; i < plan.arms.size(); ++i) {
    if (static_cast<std::int64_t>(i) % shards != shard) continue;
    StopRequest::check();
    const AblationArm& arm = plan.arms[i];
    const RunFolder run = folder_of(arm, out);
    Experiment experiment = constructed(plan, arm, Needs::kData);
    require_same_training(experiment, run);
    if (finished(run, experiment.config)) continue;
    const FolderLock owner(run.path, "trained");
    log::info("arm {} of {}: {}", i + 1, plan.arms.size(), arm.name);
    apply_backend(experiment.config.backend);
    if (const ExitCode code = train_run(experiment, run); code != ExitCode::kDone) return code;
    write_report(run, parameter_count(experiment.model.network()));
  }
  return ExitCode::kDone;
}

bool trained(const AblationPlan& plan, const fs::path& out) {
  return std::all_of(plan.arms.begin(), plan.arms.end(),
                     [&](const AblationArm& arm) { return finished(folder_of(arm, out), config_of(plan, arm)); });
}

fs::path write_comparison(const AblationPlan& plan, const fs::path& file, std::span<const std::string> overrides,
                          const fs::path& out) {
  Options compare = comparison_of(plan, file, overrides);
  const std::string baseline = compare.text("baseline", "");
  // it lies in another folder than the plan
  const std::size_t variants = comparison_of(plan, file, overrides).children("variants").size();
  for (std::size_t i = 0; i < variants; ++i)
    for (const char* key : {"grid.file", "schedule.file", "guidance.model"})
      compare.settle(format("variants[{}].sampling.{}", i, key));
  for (const auto& key : compare.keys()) compare.defer(key);
  std::string text = format("name: {}\n{}models:\n", Options::quoted(plan.name), compare.resolved());
  for (const auto& model : models_of(plan, baseline, {}))  // from where the file lies
    text += format("  - {name: {}, run: {}, baseline: {}}\n", Options::quoted(model.name), Options::quoted(model.run),
                   Options::quoted(model.baseline));
  const fs::path written = out / "comparison.yaml";
  write_file(written, text);
  return written;
}

}  // namespace edmund
