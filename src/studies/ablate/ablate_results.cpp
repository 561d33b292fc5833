#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/report/html.h"
#include "edmund/report/svg.h"
#include "edmund/studies/ablate.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

namespace edmund {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// The row of a training that its effect is read from: the first variant at the largest budget.
const ordered_json* main_row(const ordered_json& table, const std::string& training) {
  const ordered_json* found = nullptr;
  for (const auto& row : table["cells"])
    if (row["model"] == training && row["scores"].contains("frechet") &&
        (!found || (row["variant"] == (*found)["variant"] && row["nfe"] > (*found)["nfe"])))
      found = &row;
  return found;
}

// Its Fréchet distance with interval and difference; empty if there is none.
ordered_json main_score(const ordered_json& table, const std::string& training) {
  const ordered_json* row = main_row(table, training);
  return row ? (*row)["scores"]["frechet"] : ordered_json::object();
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out;
}

struct Mean {
  double value = 0.0, error = 0.0;  // standard error; 0 for one value
};
Mean mean_of(const std::vector<double>& values) {
  Mean out;
  const auto n = static_cast<double>(values.size());
  for (const double value : values) out.value += value / n;
  double squares = 0.0;
  for (const double value : values) squares += (value - out.value) * (value - out.value);
  if (n > 1) out.error = std::sqrt(squares / (n - 1) / n);
  return out;
}

// 97.5 % quantile of Student's t; beyond ten degrees of freedom by its expansion about the normal one (Abramowitz & Stegun 26.7.5), right to 1e-3.
double student_quantile(std::int64_t freedom) {
  static constexpr double kFew[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228};
  if (freedom <= std::ssize(kFew)) return kFew[std::max<std::int64_t>(freedom, 1) - 1];
  const double z = 1.959964, n = static_cast<double>(freedom);
  return z + (z * z * z + z) / (4 * n) + (5 * std::pow(z, 5) + 16 * z * z * z + 3 * z) / (96 * n * n);
}

std::vector<std::string> levels_of(const std::vector<ArmSummary>& arms, std::size_t axis) {
  std::vector<std::string> out;
  for (const auto& arm : arms)
    if (std::find(out.begin(), out.end(), arm.levels[axis]) == out.end()) out.push_back(arm.levels[axis]);
  return out;
}

std::string interval(const ordered_json& score) {
  if (score.empty()) return "–";
  if (!score.contains("low")) return short_number(score["value"]);
  return format("{} [{}, {}]", short_number(score["value"]), short_number(score["low"]), short_number(score["high"]));
}

bool has_seeds(const AblationPlan& plan) {
  return std::any_of(plan.arms.begin(), plan.arms.end(),
                     [](const AblationArm& training) { return training.name != training.arm; });
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
      "Geometric means over the seeds, ± the standard error by their spread; beside it the interval of the bootstrap, "
      "which knows only the images that were drawn. Ratios are those of trainings of the same seed.");
}

Series loss_of(const AblationArm& training, const fs::path& out) {
  Series loss{.label = training.name};
  std::istringstream lines(read_file(folder_of(training, out).metrics()));
  for (std::string line; std::getline(lines, line);)
    if (const auto entry = nlohmann::json::parse(line, nullptr, false);
        entry.is_object() && entry["loss"].is_number()) {
      loss.x.push_back(entry["images"]);
      loss.y.push_back(entry["loss"]);
    }
  return loss;
}

void add_effects(Page& page, const std::vector<MainEffect>& effects, bool seeds) {
  page.section("Main effects",
               format("Geometric mean of the Fréchet distance over all trainings with a level, as a multiple of that "
                      "over all. 95 % intervals by {}.",
                      seeds ? "the spread over seeds" : "the bootstrap alone"));
  std::vector<std::vector<std::string>> lines;
  for (const auto& [axis, level, factor, low, high] : effects)
    lines.push_back({axis, level, format("{} [{}, {}]", short_number(factor), short_number(low), short_number(high))});
  page.table({"axis", "level", "factor"}, lines);
}

std::string quoted(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return "\"" + out + "\"";
}

std::string csv_number(const ordered_json& from, const char* key) {
  return from.contains(key) && from[key].is_number() ? number_text(from[key].get<double>()) : std::string();
}

}  // namespace

std::vector<ArmSummary> arm_summaries(const AblationPlan& plan, const ordered_json& table) {
  struct Logs {
    std::vector<double> value, low, high, error;  // the error is relative
  };
  std::vector<ArmSummary> out;
  std::vector<Logs> logs;
  for (const AblationArm& training : plan.arms) {
    const ordered_json score = main_score(table, training.name);
    if (!score.contains("low") || !(score["value"].get<double>() > 0)) return {};
    if (out.empty() || out.back().arm != training.arm) {
      out.push_back({.arm = training.arm, .set = joined(training.set), .levels = training.levels});
      logs.emplace_back();
    }
    out.back().values.push_back(score["value"]);
    logs.back().value.push_back(std::log(score["value"].get<double>()));
    logs.back().low.push_back(std::log(std::max(score["low"].get<double>(), 0.0)));
    logs.back().high.push_back(std::log(score["high"].get<double>()));
    logs.back().error.push_back(score["error"].get<double>() / score["value"].get<double>());
  }
  const std::string& called = table["baseline"].get_ref<const std::string&>();
  const auto base = std::find_if(plan.arms.begin(), plan.arms.end(),
                                 [&](const AblationArm& training) { return training.name == called; });
  const auto same = [&](const ArmSummary& arm) { return base != plan.arms.end() && arm.arm == base->arm; };
  const auto baseline = static_cast<std::size_t>(std::find_if(out.begin(), out.end(), same) - out.begin());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Mean mean = mean_of(logs[i].value);
    out[i].mean = std::exp(mean.value);
    out[i].seed_error = out[i].mean * mean.error;
    out[i].low = std::exp(mean_of(logs[i].low).value);
    out[i].high = std::exp(mean_of(logs[i].high).value);
    out[i].sampling_error = out[i].mean * mean_of(logs[i].error).value;
    if (baseline == out.size()) continue;
    std::vector<double> ratios;
    for (std::size_t k = 0; k < logs[i].value.size(); ++k) ratios.push_back(logs[i].value[k] - logs[baseline].value[k]);
    const Mean ratio = mean_of(ratios);
    out[i].times_baseline = std::exp(ratio.value);
    out[i].times_error = *out[i].times_baseline * ratio.error;
  }
  return out;
}

std::vector<MainEffect> main_effects(const AblationPlan& plan, const ordered_json& table) {
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
      const double error =
          freedom > 0 ? student_quantile(std::llround(freedom)) * std::sqrt(variance * (1 / own - 1 / count) / seeds)
                      : 1.96 * std::sqrt(sampling) / own;
      out.push_back({plan.axes[axis], level, std::exp(effect), std::exp(effect - error), std::exp(effect + error)});
    }
  return out;
}

void add_ablation(Page& page, const AblationPlan& plan, const fs::path& out, const ordered_json& table) {
  const bool seeds = has_seeds(plan);
  page.section("Arms",
               "Trained from the same seeds on the same images in the same order. Distances are of the first "
               "variant at the largest budget.");
  if (seeds)
    if (const auto summaries = arm_summaries(plan, table); !summaries.empty()) add_summaries(page, summaries);
  std::vector<std::vector<std::string>> rows;
  Plot losses{.title = "Training loss", .x_label = "images", .y_label = "loss", .log_y = true, .width = 1100};
  for (const AblationArm& training : plan.arms) {
    const ordered_json score = main_score(table, training.name);
    rows.push_back({training.name, joined(training.set), interval(score),
                    interval(score.value("difference", ordered_json::object()))});
    losses.series.push_back(loss_of(training, out));
  }
  page.table({seeds ? "training" : "arm", "what is set", "Fréchet distance", "less the baseline"}, rows);
  if (!seeds) page.paragraph("Training itself is one draw: another seed would move the arms. `seeds:` trains more.");
  if (const auto effects = main_effects(plan, table); !effects.empty()) add_effects(page, effects, seeds);
  page.figure(svg(losses), "Losses of different targets are in different units: only arms of one target compare.");
}

void write_arms(const AblationPlan& plan, const fs::path& out, const ordered_json& table) {
  const std::vector<ArmSummary> summaries = arm_summaries(plan, table);
  std::string csv =
      "arm,seed,set,value,error,low,high,difference,difference_low,difference_high,seed_error,times_baseline,times_"
      "error\n";
  ordered_json json = {{"name", plan.name}, {"baseline", table["baseline"]}};
  for (const AblationArm& training : plan.arms) {
    const ordered_json score = main_score(table, training.name),
                       less = score.value("difference", ordered_json::object());
    csv +=
        format("{},{},{},{},{},{},{},{},{},{},,,\n", quoted(training.arm), training.seed, quoted(joined(training.set)),
               csv_number(score, "value"), csv_number(score, "error"), csv_number(score, "low"),
               csv_number(score, "high"), csv_number(less, "value"), csv_number(less, "low"), csv_number(less, "high"));
    json["trainings"].push_back(
        {{"arm", training.arm}, {"seed", training.seed}, {"set", training.set}, {"frechet", score}});
  }
  for (const ArmSummary& arm : summaries) {
    if (has_seeds(plan))
      csv += format("{},all,{},{},{},{},{},,,,{},{},{}\n", quoted(arm.arm), quoted(arm.set), number_text(arm.mean),
                    number_text(arm.sampling_error), number_text(arm.low), number_text(arm.high),
                    number_text(arm.seed_error), arm.times_baseline ? number_text(*arm.times_baseline) : "",
                    arm.times_baseline ? number_text(arm.times_error) : "");
    json["arms"].push_back({{"arm", arm.arm},
                            {"seeds", arm.values.size()},
                            {"mean", arm.mean},
                            {"seed_error", arm.seed_error},
                            {"sampling_error", arm.sampling_error},
                            {"low", arm.low},
                            {"high", arm.high}});
    if (arm.times_baseline)
      json["arms"].back().update({{"times_baseline", *arm.times_baseline}, {"times_error", arm.times_error}});
  }
  for (const auto& [axis, level, factor, low, high] : main_effects(plan, table))
    json["effects"].push_back({{"axis", axis}, {"level", level}, {"factor", factor}, {"low", low}, {"high", high}});
  write_file(out / "arms.csv", csv);
  write_file(out / "arms.json", json.dump(1) + "\n");
}

}  // namespace edmund
