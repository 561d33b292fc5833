#include "edmund/core/files.h"
#include "edmund/core/parsed_json.h"
#include "edmund/core/text.h"
#include "edmund/report/html.h"
#include "edmund/report/svg.h"
#include "edmund/studies/ablate.h"
#include "edmund/studies/factor_table.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

namespace edmund {
namespace {

namespace fs = std::filesystem;

// Trainings of one arm have its color, those of each seed dashes.
const ModelLook& look_of(std::span<const ModelLook> looks, const std::string& training) {
  return *std::ranges::find(looks, training, &ModelLook::model);
}

void add_summaries(Page& page, const std::vector<ArmSummary>& arms) {
  std::vector<std::vector<std::string>> rows;
  for (const ArmSummary& arm : arms)
    rows.push_back({arm.arm, arm.set, std::to_string(arm.values.size()),
                    format("{} ± {}", short_number(arm.mean), short_number(arm.seed_error)),
                    format("[{}, {}]", short_number(arm.low), short_number(arm.high)),
                    arm.times_baseline
                        ? format("{} ± {}", short_number(*arm.times_baseline), short_number(arm.times_error))
                        : "–"});
  page.table({"arm", "what is set", "seeds", "Fréchet distance", "of sampling alone", "times the baseline"}, rows);
  page.paragraph(
      "Geometric means over the seeds, ± the standard error by their spread; beside it the interval "
      "of sampling, which knows only the images that were drawn. Ratios are those of trainings of the same seed.");
}

// How many overrides all arms begin with.
std::size_t common_count(const std::vector<AblationArm>& arms) {
  std::size_t count = arms.size() < 2 ? 0 : arms[0].set.size();
  for (const AblationArm& arm : arms) {
    const auto differ = std::ranges::mismatch(arms[0].set, arm.set).in1 - arms[0].set.begin();
    count = std::min(count, static_cast<std::size_t>(differ));
  }
  return count;
}

std::vector<nlohmann::json> lines_of(const fs::path& file) {
  std::vector<nlohmann::json> out;
  if (!fs::exists(file)) return out;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);)
    if (auto entry = parsed_json<nlohmann::json>(line); entry.is_object() && entry.contains("loss"))
      out.push_back(std::move(entry));
  return out;
}

// What all trainings have logged, a curve each: of each line a point, or of the last one its bins.
std::vector<Series> series_of(const AblationPlan& plan, const fs::path& out, std::span<const ModelLook> looks,
                              const char* file, bool last_bins) {
  std::vector<Series> all;
  for (const AblationArm& training : plan.arms) {
    const std::vector<nlohmann::json> lines = lines_of(folder_of(training, out).path / file);
    const ModelLook& look = look_of(looks, training.name);
    Series series{.label = training.name, .look = look.look, .dash = look.dash};
    const auto add = [&](const nlohmann::json& point, const char* x) {
      if (!point.contains(x) || !point["loss"].is_number()) return;
      series.x.push_back(point[x]);
      series.y.push_back(point["loss"]);
    };
    if (!last_bins)
      for (const auto& line : lines) add(line, "images");
    else if (!lines.empty())
      for (const auto& bin : lines.back().value("bins", nlohmann::json::array())) add(bin, "sigma");
    if (!series.x.empty()) all.push_back(std::move(series));
  }
  return all;
}

void add_curves(Page& page, const AblationPlan& plan, const fs::path& out, std::span<const ModelLook> looks) {
  const auto add = [&](const char* title, const char* x, std::vector<Series> series, bool log_x, const char* caption) {
    if (series.empty()) return;
    page.plot({.title = title,
               .x_label = x,
               .y_label = "loss",
               .series = std::move(series),
               .log_x = log_x,
               .log_y = true,
               .width = 900,
               .height = 380},
              caption);
  };
  page.section("Training", "Losses of different targets are in different units: only arms of one target compare.");
  add("Training loss", "images", series_of(plan, out, looks, "metrics.jsonl", false), false, "");
  add("Loss of held-out images, averaged weights", "images", series_of(plan, out, looks, "validation.jsonl", false),
      false, "");
  add("Loss at each noise level, at the end of training", "σ", series_of(plan, out, looks, "metrics.jsonl", true), true,
      "Of the steps since the line before the last of metrics.jsonl.");
}

std::vector<std::string> levels_of(const std::vector<ArmSummary>& arms, std::size_t axis) {
  std::vector<std::string> out;
  for (const auto& arm : arms)
    if (std::ranges::find(out, arm.levels[axis]) == out.end()) out.push_back(arm.levels[axis]);
  return out;
}

// Geometric mean over the arms that have both levels.
std::optional<Measured> mean_of(const std::vector<ArmSummary>& arms, std::size_t row_axis, const std::string& row,
                                std::size_t column_axis, const std::string& column) {
  double value = 0, low = 0, high = 0, count = 0;
  for (const auto& arm : arms)
    if (arm.levels[row_axis] == row && arm.levels[column_axis] == column)
      value += std::log(arm.mean), low += std::log(arm.low), high += std::log(arm.high), count += 1;
  if (count == 0) return std::nullopt;
  return Measured{.value = std::exp(value / count), .low = std::exp(low / count), .high = std::exp(high / count)};
}

// Each pair of axes as rows and columns.
void add_pairs(Page& page, const AblationPlan& plan, const std::vector<ArmSummary>& arms) {
  if (arms.empty() || plan.axes.size() < 2) return;
  page.section("Pairs of axes",
               format("Fréchet distance of each pair of levels{}; the darker the better.{}",
                      plan.axes.size() > 2 ? ", the geometric mean over the other axes" : "",
                      plan.several_seeds() ? " Geometric means over the seeds; intervals of sampling alone." : ""));
  for (std::size_t a = 0; a < plan.axes.size(); ++a)
    for (std::size_t b = a + 1; b < plan.axes.size(); ++b) {
      FactorTable table{.corner = format("{} / {}", plan.axes[a], plan.axes[b]),
                        .rows = levels_of(arms, a),
                        .columns = levels_of(arms, b)};
      for (const auto& row : table.rows) {
        table.cells.emplace_back();
        for (const auto& column : table.columns) table.cells.back().push_back(mean_of(arms, a, row, b, column));
      }
      add_factor_table(page, table);
    }
}

void add_effects(Page& page, const std::vector<MainEffect>& effects, bool seeds) {
  page.section("Main effects",
               format("Geometric mean of the Fréchet distance over all trainings with a level, as a multiple of that "
                      "over all. 95 % intervals by {}.",
                      seeds ? "the spread over seeds" : "the choice of the drawn images alone"));
  std::vector<std::vector<std::string>> lines;
  for (const auto& [axis, level, factor, low, high] : effects)
    lines.push_back({axis, level, format("{} [{}, {}]", short_number(factor), short_number(low), short_number(high))});
  page.table({"axis", "level", "factor"}, lines);
}

}  // namespace

std::vector<ModelLook> looks_of(const AblationPlan& plan) {
  std::vector<ModelLook> out;
  std::vector<std::string> arms;
  std::int64_t seed = 0;
  for (const AblationArm& training : plan.arms) {
    if (arms.empty() || arms.back() != training.arm) {
      arms.push_back(training.arm);
      seed = 0;
    }
    const auto arm = static_cast<std::int64_t>(arms.size()) - 1;
    out.push_back({training.name, arm, plan.several_seeds() ? seed++ : -1});
  }
  return out;
}

void add_ablation(Page& page, const AblationPlan& plan, const fs::path& out, const ComparisonTable& table) {
  const bool seeds = plan.several_seeds();
  const std::vector<ModelLook> looks = looks_of(plan);
  const std::vector<ArmSummary> summaries = arm_summaries(plan, table);
  page.section("Arms",
               "Trained from the same seeds on the same images in the same order. Distances are of the first "
               "variant at the largest budget.");
  if (seeds && !summaries.empty()) add_summaries(page, summaries);
  const std::size_t common = common_count(plan.arms);
  if (common > 0)
    page.paragraph("Set in all arms: " +
                   join(std::vector<std::string_view>(plan.arms[0].set.begin(),
                                                      plan.arms[0].set.begin() + static_cast<std::ptrdiff_t>(common)),
                        ", "));
  std::vector<std::vector<std::string>> rows;
  Page::TableLook marks;
  for (const AblationArm& training : plan.arms) {
    const CellScore* score = main_score(table, training.name);
    AblationArm own = training;
    own.set.erase(own.set.begin(), own.set.begin() + static_cast<std::ptrdiff_t>(common));
    rows.push_back({training.name, own.set_text(), score != nullptr ? with_interval(score->measured) : "–",
                    score != nullptr && score->difference ? with_interval(*score->difference) : "–"});
    const ModelLook& look = look_of(looks, training.name);
    marks.marks.push_back(svg_mark(look.look, look.dash));
  }
  page.table({seeds ? "training" : "arm", "what is set", "Fréchet distance", "less the baseline"}, rows, marks);
  if (!seeds) page.paragraph("Training itself is one draw: another seed would move the arms. `seeds:` trains more.");
  for (const AblationArm& training : plan.arms) {
    const ModelLook& look = look_of(looks, training.name);
    const RunFolder run = folder_of(training, out);
    page.begin_fold("Config of " + training.name + ", all values in use", svg_mark(look.look, look.dash));
    page.listing(read_file(fs::exists(run.resolved()) ? run.resolved() : run.config()));
    page.end_fold();
  }
  if (const auto effects = main_effects(plan, table); !effects.empty()) add_effects(page, effects, seeds);
  add_pairs(page, plan, summaries);
  add_curves(page, plan, out, looks);
}

}  // namespace edmund
