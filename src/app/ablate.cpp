#include "edmund/app/ablate.h"

#include "edmund/app/run.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/html.h"
#include "edmund/evaluation/svg.h"
#include "edmund/training/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

namespace edmund {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// Every combination of one arm of each axis.
void combine(std::vector<Options>& axes, std::size_t axis, const AblationArm& so_far, std::vector<AblationArm>& out) {
  if (axis == axes.size()) {
    out.push_back(so_far);
    return;
  }
  auto levels = axes[axis].children("arms");
  axes[axis].check(!levels.empty(), "arms", "expected a list of {name, set}, found none");
  for (Options& level : levels) {
    AblationArm arm = so_far;
    const std::string name = level.required_text("name");
    arm.name += (arm.name.empty() ? "" : " ") + name;
    arm.levels.push_back(name);
    for (auto& text : level.texts("set", {})) arm.set.push_back(std::move(text));
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

Experiment built(const AblationPlan& plan, const AblationArm& arm) {
  const std::vector<std::string> set = overrides_of(arm);
  try {
    return build(Options::read_file(plan.config, set), Needs::kData);
  } catch (const Error& error) {
    fail("arm '{}': {}", arm.name, error.what());
  }
}

RunFolder folder_of(const AblationArm& arm, const fs::path& out) { return {out / "arms" / folder_name(arm.name)}; }

// The row of an arm that its effect is read from: the first variant at the largest budget.
const ordered_json* main_row(const ordered_json& table, const std::string& arm) {
  const ordered_json* found = nullptr;
  for (const auto& row : table["cells"])
    if (row["model"] == arm && row["scores"].contains("frechet") &&
        (!found || (row["variant"] == (*found)["variant"] && row["nfe"] > (*found)["nfe"])))
      found = &row;
  return found;
}

}  // namespace

AblationPlan read_ablation(const fs::path& file, std::span<const std::string> overrides) {
  Options root = Options::read_file(file, overrides);
  AblationPlan plan{.name = root.text("name", "ablation")};
  const std::string config = root.required_text("config");
  plan.config = fs::path(config).is_absolute() ? fs::path(config) : file.parent_path() / config;
  const std::vector<std::string> common = root.texts("set", {});
  std::vector<AblationArm> arms;
  auto axes = root.children("axes");
  for (Options& axis : axes) plan.axes.push_back(axis.required_text("name"));
  if (!axes.empty()) {
    root.check(!root.has("arms"), "arms", "excludes axes: give one of them");
    combine(axes, 0, {.set = common}, arms);
  }
  for (Options& arm : root.children("arms")) {
    arms.push_back({.name = arm.required_text("name"), .set = common});
    for (auto& text : arm.texts("set", {})) arms.back().set.push_back(std::move(text));
  }
  root.check(!arms.empty(), "arms", "expected a list of {name, set}, found none");
  const auto seeds = root.integers("seeds", {0}, at_least(0));
  root.check(!seeds.empty(), "seeds", "expected at least one seed");
  root.defer("compare");
  root.finish();
  for (const AblationArm& arm : arms)
    for (const std::int64_t seed : seeds) {
      plan.arms.push_back(arm);
      plan.arms.back().seed = seed;
      if (seeds.size() > 1) plan.arms.back().name += format(" seed {}", seed);
    }
  for (const AblationArm& arm : plan.arms) {
    require(
        std::count_if(plan.arms.begin(), plan.arms.end(),
                      [&](const AblationArm& other) { return folder_name(other.name) == folder_name(arm.name); }) == 1,
        "{}: arm '{}' stands there twice", file.string(), arm.name);
    built(plan, arm);
  }
  return plan;
}

ExitCode train_arms(const AblationPlan& plan, const fs::path& out, std::int64_t shard, std::int64_t shards) {
  for (std::size_t i = 0; i < plan.arms.size(); ++i) {
    if (static_cast<std::int64_t>(i) % shards != shard) continue;
    const AblationArm& arm = plan.arms[i];
    const RunFolder run = folder_of(arm, out);
    Experiment experiment = built(plan, arm);
    require_same_training(experiment, run);
    const auto newest = newest_checkpoint(run.path);
    if (newest && load_weights(*newest).images >= experiment.training.images) continue;
    log::info("arm {} of {}: {}", i + 1, plan.arms.size(), arm.name);
    if (const ExitCode code = train_run(experiment, run); code != ExitCode::kDone) return code;
    write_report(run);
  }
  return ExitCode::kDone;
}

bool trained(const AblationPlan& plan, const fs::path& out) {
  return std::all_of(plan.arms.begin(), plan.arms.end(), [&](const AblationArm& arm) {
    const auto newest = newest_checkpoint(folder_of(arm, out).path);
    return newest && load_weights(*newest).images >= built(plan, arm).training.images;
  });
}

fs::path write_comparison(const AblationPlan& plan, const fs::path& file, std::span<const std::string> overrides,
                          const fs::path& out) {
  Options root = Options::read_file(file, overrides);
  Options compare = root.child("compare");
  for (const auto& key : compare.keys()) compare.defer(key);
  std::string text = format("name: {}\n{}", plan.name, compare.resolved());
  if (!compare.has("baseline")) text += "baseline: \"" + plan.arms.front().name + "\"\n";
  if (!compare.has("variants")) text += "variants: [{name: \"as trained\", sampling: {}}]\n";
  text += "models:\n";
  for (const AblationArm& arm : plan.arms)
    text += format("  - {name: \"{}\", run: \"{}\"}\n", arm.name, folder_of(arm, out).path.string());
  const fs::path written = out / "comparison.yaml";
  write_file(written, text);
  return written;
}

std::vector<MainEffect> main_effects(const AblationPlan& plan, const ordered_json& table) {
  struct Value {
    double log, error;
  };
  std::map<std::string, Value> values;
  for (const AblationArm& arm : plan.arms) {
    const ordered_json* row = main_row(table, arm.name);
    if (!row || !(*row)["scores"]["frechet"].contains("low")) return {};
    const auto& score = (*row)["scores"]["frechet"];
    const double value = score["value"];
    if (!(value > 0)) return {};
    values[arm.name] = {std::log(value), score["error"].get<double>() / value};
  }
  double mean = 0.0;
  for (const auto& [name, value] : values) mean += value.log / static_cast<double>(values.size());
  std::vector<MainEffect> out;
  for (std::size_t axis = 0; axis < plan.axes.size(); ++axis) {
    std::vector<std::string> levels;
    for (const AblationArm& arm : plan.arms)
      if (std::find(levels.begin(), levels.end(), arm.levels[axis]) == levels.end()) levels.push_back(arm.levels[axis]);
    for (const auto& level : levels) {
      double sum = 0.0, squares = 0.0, count = 0.0;
      for (const AblationArm& arm : plan.arms)
        if (arm.levels[axis] == level) {
          sum += values[arm.name].log, squares += values[arm.name].error * values[arm.name].error;
          count += 1;
        }
      const double effect = sum / count - mean, error = 1.96 * std::sqrt(squares) / count;
      out.push_back({plan.axes[axis], level, std::exp(effect), std::exp(effect - error), std::exp(effect + error)});
    }
  }
  return out;
}

void add_ablation(Page& page, const AblationPlan& plan, const fs::path& out, const ordered_json& table) {
  page.section("Arms", "Trained from the same seeds on the same images in the same order.");
  std::vector<std::vector<std::string>> rows;
  Plot losses{.title = "Training loss", .x_label = "images", .y_label = "loss", .log_y = true, .width = 1100};
  for (const AblationArm& arm : plan.arms) {
    std::string set;
    for (const auto& text : arm.set) set += (set.empty() ? "" : ", ") + text;
    const ordered_json* row = main_row(table, arm.name);
    std::string value = "–", difference = "–";
    if (row) {
      const auto& score = (*row)["scores"]["frechet"];
      const auto interval = [](const ordered_json& v) {
        return v.contains("low")
                   ? format("{} [{}, {}]", short_number(v["value"]), short_number(v["low"]), short_number(v["high"]))
                   : short_number(v["value"]);
      };
      value = interval(score);
      if (score.contains("difference")) difference = interval(score["difference"]);
    }
    rows.push_back({arm.name, set, value, difference});
    Series loss{.label = arm.name};
    std::istringstream lines(read_file(folder_of(arm, out).metrics()));
    for (std::string line; std::getline(lines, line);)
      if (const auto entry = nlohmann::json::parse(line, nullptr, false);
          entry.is_object() && entry["loss"].is_number()) {
        loss.x.push_back(entry["images"]);
        loss.y.push_back(entry["loss"]);
      }
    losses.series.push_back(std::move(loss));
  }
  page.table({"arm", "what is set", "Fréchet distance", "less " + table["baseline"].get<std::string>()}, rows);
  page.paragraph(
      "The first variant at the largest budget. Training itself is one draw: another seed would move the arms.");
  if (const auto effects = main_effects(plan, table); !effects.empty()) {
    page.section(
        "Main effects",
        "Geometric mean of the Fréchet distance over all arms with a level, as a multiple of that over all arms.");
    std::vector<std::vector<std::string>> lines;
    for (const auto& [axis, level, factor, low, high] : effects)
      lines.push_back(
          {axis, level, format("{} [{}, {}]", short_number(factor), short_number(low), short_number(high))});
    page.table({"axis", "level", "factor"}, lines);
  }
  page.figure(svg(losses), "Losses of different targets are in different units: only arms of one target compare.");
}

}  // namespace edmund
