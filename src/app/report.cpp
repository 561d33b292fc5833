#include "branches.h"
#include "edmund/app/run.h"
#include "edmund/app/score_curves.h"
#include "edmund/app/score_rows.h"
#include "edmund/core/files.h"
#include "edmund/core/parsed_json.h"
#include "edmund/core/text.h"
#include "edmund/report/html.h"
#include "report_json.h"
#include "report_plots.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

namespace edmund {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// 4 significant digits: for people.
std::string rounded(double value) {
  std::ostringstream out;
  out.precision(4);
  out << value;
  return out.str();
}

std::string rounded(const json& score, const char* key) {
  return score.contains(key) && score[key].is_number() ? rounded(score[key].get<double>()) : "–";
}

std::string percent(const json& score, const char* key) {
  return score.contains(key) && score[key].is_number() ? rounded(100 * score[key].get<double>()) + " %" : "–";
}

// "12.3 [11.9, 12.7]".
std::string interval_of(const json& score) {
  const std::string value = rounded(score, "value");
  if (score.contains("low") && score["low"].is_number())
    return value + " [" + rounded(score, "low") + ", " + rounded(score, "high") + "]";
  return value + (score.contains("low") ? " (error unknown)" : "");
}

// " (500 : 1000)".
std::string sizes_of(const json& score, const std::string& of) {
  const auto count = [&](const std::string& key) {
    return score.contains(key) && score[key].is_number() ? score[key].get<std::int64_t>() : 0;
  };
  const std::int64_t images = count(of + "images"), real = count(of + "real");
  if (images == 0) return "";
  return real > 0 ? " (" + std::to_string(images) + " : " + std::to_string(real) + ")"
                  : " (" + std::to_string(images) + ")";
}

// Adds the speeds of timing.jsonl to the lines of the same positions.
void add_timing(std::vector<json>& lines, const std::vector<json>& timing) {
  std::size_t at = 0;
  for (json& line : lines) {
    while (at < timing.size() && timing[at].value("images", 0.0) < line.value("images", 0.0)) ++at;
    if (at < timing.size() && timing[at].value("images", 0.0) == line.value("images", 0.0)) line.update(timing[at]);
  }
}

// A plot for each metric of which several checkpoints were scored.
void add_score_curves(Page& page, const json& all) {
  std::vector<Plot> plots;
  for (const ScoreCurve& curve : score_curves(all)) {
    if (curve.points.size() < 2) continue;
    const std::string title = curve.metric + " along training";
    auto plot = std::ranges::find(plots, title, &Plot::title);
    if (plot == plots.end())
      plot = plots.insert(plots.end(), {.title = title, .x_label = "images trained on", .y_label = curve.metric});
    Series series{.label = curve.sampling};
    for (const auto& [images, value, low, high] : curve.points) {
      series.x.push_back(static_cast<double>(images));
      series.y.push_back(value);
      series.low.push_back(low);
      series.high.push_back(high);
    }
    plot->series.push_back(std::move(series));
  }
  if (plots.empty()) return;
  page.begin_columns();
  for (const Plot& plot : plots) page.plot(plot);
  page.end_columns();
}

void add_scores(Page& page, const json& all) {
  if (all.empty()) return;
  page.section(
      "Scores",
      "Each number with its 95 % interval from the choice of the drawn images, and what it must be read against: "
      "the floor, what real images score that are none of those compared with, and the ceiling, what noise images "
      "score; in parentheses how many images are compared with how many. “Bias” is what the finite number of "
      "drawn images adds to a distance. “Closed” is the share of the way from the ceiling to the floor.");
  std::vector<std::vector<std::string>> rows;
  for (const auto& result : all)
    for (const auto& score : member(result, "scores")) {
      const bool agrees = result.contains("class_agreement");
      rows.push_back({result.value("name", ""), score.value("name", ""), interval_of(score), rounded(score, "bias"),
                      rounded(score, "floor") + sizes_of(score, "floor_"),
                      rounded(score, "ceiling") + sizes_of(score, "ceiling_"), percent(score, "closed"),
                      agrees ? rounded(100 * result.value("class_agreement", 0.0)) + " ± " +
                                   rounded(100 * result.value("class_agreement_error", 0.0)) + " %"
                             : "–",
                      std::to_string(result.value("evaluations_per_image", 0)),
                      std::to_string(result.value("images", 0)), std::to_string(result.value("trained_images", 0)),
                      result.value("weights", ""), std::to_string(result.value("seed", 0))});
    }
  page.table({"sampling", "metric", "value", "bias", "floor", "ceiling", "closed", "class agreement", "evaluations",
              "images", "trained on", "weights", "seed"},
             rows);
  std::map<std::string, bool> told;
  for (const auto& result : all)
    for (const auto& score : member(result, "scores"))
      if (const std::string text = score.value("estimator", "");
          !text.empty() && !told[text + score.value("name", "")]) {
        page.paragraph(score.value("name", "") + ": " + text + ".");
        told[text + score.value("name", "")] = true;
      }
  std::map<std::string, bool> said;
  for (const auto& result : all)
    if (const std::string from = result.value("features_from", ""); !from.empty() && !said[from]) {
      page.paragraph("Features: " + result.value("features", "") + "; " + from);
      said[from] = true;
    }
  add_score_curves(page, all);
}

void add_samples(Page& page, const RunFolder& run) {
  if (!fs::exists(run.images())) return;
  std::vector<fs::path> sheets;
  for (const auto& entry : fs::directory_iterator(run.images()))
    if (entry.path().filename().string().starts_with("samples-")) sheets.push_back(entry.path());
  std::sort(sheets.begin(), sheets.end());
  if (sheets.empty()) return;
  page.section("Samples over training",
               "The same image numbers at each point of the training, drawn from the averaged weights.");
  std::vector<fs::path> shown;  // at most six, spread evenly, the last one always
  const std::size_t count = std::min<std::size_t>(sheets.size(), 6);
  for (std::size_t i = 0; i < count; ++i)
    shown.push_back(sheets[count == 1 ? sheets.size() - 1 : i * (sheets.size() - 1) / (count - 1)]);
  page.begin_columns();
  for (const auto& sheet : shown) {
    const auto images = parse_integer(sheet.stem().string().substr(8));
    page.image(read_file(sheet), "after " + human_count(static_cast<double>(images.value_or(0))) + " images");
  }
  page.end_columns();
  if (const fs::path strip = run.images() / "trajectory.png"; fs::exists(strip)) {
    page.section("Denoising trajectory",
                 "What the network takes for the clean image, D(z; σ), from the first noise level (left) to the last; "
                 "one image a row.");
    page.image(read_file(strip), "D(z; σ) along the way of the sampler");
  }
}

void add_config(Page& page, const std::string& chosen, const std::string& resolved) {
  page.section("Config", resolved.empty() ? "As it was understood, defaults included: a config itself."
                                          : "What was chosen: a config itself.");
  page.listing(chosen);
  if (resolved.empty()) return;
  const auto given = Options::read_text(chosen, "config").flattened();
  std::string filled;
  for (const auto& [key, value] : Options::read_text(resolved, "resolved").flattened())
    if (!given.contains(key)) filled += format("{}: {}\n", key, value);
  page.begin_fold("What was filled in, for the schedule, grid, sampler and data at hand");
  page.listing(filled);
  page.end_fold();
}

}  // namespace

void write_report(const RunFolder& run, std::int64_t parameters) {
  Options options = run_options(run);
  const std::string resolved = fs::exists(run.resolved()) ? read_file(run.resolved()) : "";
  take_image(options, resolved, run.resolved().string());
  const Experiment experiment = construct(parse(options), Needs::kSettings);
  std::vector<json> lines = read_lines(run.metrics());
  add_timing(lines, read_lines(run.timing()));
  Page page("edmund: " + experiment.config.name, experiment.sampling.name);
  std::vector<std::pair<std::string, std::string>> facts = {
      {"images", format("{}x{}x{} (C, H, W), {} classes", experiment.shape.image.channels,
                        experiment.shape.image.height, experiment.shape.image.width, experiment.shape.num_classes)},
      {"parameters", human_count(static_cast<double>(parameters))},
      {"seed", std::to_string(experiment.config.seed)}};
  for (const Branch& branch : branches_of(run)) {
    std::string what = branch.images > 0 ? format("after {} images", grouped(branch.images)) : "begun anew";
    for (const auto& [key, values] : branch.changes) what += format(", {}: {} → {}", key, values.first, values.second);
    facts.push_back({"other settings", what});
  }
  if (!lines.empty()) {
    facts.push_back({"trained on", human_count(lines.back()["images"].get<double>()) + " images"});
    facts.push_back({"training time", human_time(lines.back().value("seconds", 0.0))});
    if (const auto skipped = lines.back().value("skipped_steps", 0); skipped > 0)
      facts.push_back({"skipped steps", std::to_string(skipped)});
  }
  facts.push_back({"edmund", EDMUND_VERSION});
  page.interactive();
  page.facts(facts);
  const json scores = read_scores(run);
  add_scores(page, scores);
  add_ema_curve(page, scores);
  add_samples(page, run);
  add_training(page, experiment, lines, read_lines(run.path / "validation.jsonl"));
  add_schedule(page, experiment);
  add_curvature(page, run);
  add_config(page, read_file(run.config()), resolved);
  write_file(run.report(), page.html());
}

}  // namespace edmund
