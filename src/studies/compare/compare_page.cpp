#include "compare_plots.h"
#include "edmund/core/text.h"
#include "edmund/io/image_io.h"
#include "edmund/report/html.h"
#include "edmund/report/svg.h"
#include "edmund/studies/compare.h"

#include <algorithm>
#include <ATen/Functions.h>
#include <cmath>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kShown = 4;  // images of a cell

std::string number(const ordered_json& value) { return value.is_number() ? short_number(value.get<double>()) : "–"; }

std::string with_interval(const ordered_json& score) {
  std::string out = number(score["value"]);
  if (score.contains("low")) return format("{} [{}, {}]", out, number(score["low"]), number(score["high"]));
  if (score.contains("error")) return format("{} ± {}", out, number(score["error"]));
  return out;
}

std::string difference(const ordered_json& score) {
  if (!score.contains("difference")) return "–";
  const ordered_json& d = score["difference"];
  const bool told = d["low"].get<double>() > 0 || d["high"].get<double>() < 0;
  return with_interval(d) + (told ? " *" : "");
}

void add_table(Page& page, const ordered_json& table, const std::string& model) {
  std::string baseline = table["baseline"];
  for (const auto& entry : table["models"])
    if (entry["name"] == model) baseline = entry.value("baseline", baseline);
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> metrics;
  const auto rows = rows_of(table, model);
  for (const auto& row : rows)
    for (const auto& [key, score] : row["scores"].items())
      if (std::find(metrics.begin(), metrics.end(), key) == metrics.end()) metrics.push_back(key);
  std::vector<std::string> head{"variant", "steps", "NFE"};
  for (const auto& metric : metrics) {
    head.push_back(rows[0]["scores"][metric].value("name", metric));
    if (metric == "frechet") head.push_back("less " + baseline);
  }
  for (const char* more : {"distance to the ODE", "order", "ms an image", "Pareto"}) head.emplace_back(more);
  for (const auto& row : rows) {
    std::vector<std::string> line{row["variant"], row["steps"] == 0 ? "–" : number(row["steps"]), number(row["nfe"])};
    for (const auto& metric : metrics) {
      const bool there = row["scores"].contains(metric);
      line.push_back(there ? with_interval(row["scores"][metric]) : "–");
      if (metric == "frechet") line.push_back(there ? difference(row["scores"][metric]) : "–");
    }
    line.push_back(row.contains("distance") ? with_interval(row["distance"]) : "–");
    line.push_back(number(row.value("order", ordered_json())));
    line.push_back(short_number(1000 * row["seconds"].get<double>() / row["images"].get<double>()));
    line.push_back(row.value("pareto", false) ? "yes" : "");
    lines.push_back(std::move(line));
  }
  page.table(head, lines);
}

void add_images(Page& page, Comparison& comparison, std::size_t model) {
  const ComparePlan& plan = comparison.plan();
  std::vector<std::int64_t> budgets = plan.nfe.empty() ? std::vector<std::int64_t>{0} : plan.nfe;
  Tensor blank;
  std::vector<std::string> shown;
  std::vector<Tensor> tiles;
  for (std::size_t v = 0; v < plan.variants.size(); ++v) {
    std::vector<Tensor> row;
    bool any = false;
    for (const std::int64_t budget : budgets) {
      Tensor images;
      for (const CompareCell& cell : comparison.cells())
        if (cell.model == model && cell.variant == v && cell.nfe == budget && comparison.drawn(cell))
          images = comparison.images_of(cell, kShown);
      any = any || images.defined();
      if (images.defined() && !blank.defined()) blank = at::full_like(images, 255);
      row.push_back(images);
    }
    if (!any) continue;
    shown.push_back(plan.variants[v]);
    for (auto& images : row) tiles.push_back(images.defined() ? images : blank);
  }
  if (tiles.empty()) return;
  std::string columns, rows;
  for (const auto budget : budgets) columns += format("{}{}", columns.empty() ? "" : ", ", budget);
  for (const auto& name : shown) rows += format("{}{}", rows.empty() ? "" : ", ", name);
  const Tensor all = at::cat(tiles);
  const std::int64_t zoom = std::max<std::int64_t>(1, 24 / all.size(3));
  page.image(
      png_bytes(image_grid(all, static_cast<std::int64_t>(budgets.size()) * kShown, zoom, 1)),
      format("Images 0 to {} of each cell: the same noise and class everywhere. Rows: {}. Columns, {} images each: "
             "budget {}.",
             kShown - 1, rows, kShown, columns));
}

}  // namespace

std::string compare_page(Comparison& comparison, const ordered_json& table, const std::function<void(Page&)>& more) {
  const ComparePlan& plan = comparison.plan();
  Page page("edmund compare: " + plan.name, format("{} images a cell from seed {}, paired", plan.images, plan.seed));
  page.interactive();
  page.section("What was compared");
  const bool own_baselines =
      std::any_of(plan.models.begin(), plan.models.end(), [](const auto& model) { return !model.baseline.empty(); });
  std::vector<std::pair<std::string, std::string>> facts{
      {"cells", std::to_string(table["cells"].size())},
      {"intervals", format("{} %, bootstrap of {} resamples of generated and real images, less its bias",
                           short_number(100 * plan.level), plan.resamples)},
      {"differences",
       format("to {} at the same budget, row by row of the same seeds; * where the interval leaves out 0",
              own_baselines ? "the model that each names as its baseline" : plan.baseline_name())}};
  for (const auto& model : table["models"])
    facts.push_back(
        {model["name"], format("{}, {} images; features: {} {}", model["checkpoint"].get<std::string>(),
                               human_count(model["trained_images"].get<double>()), model["features"].get<std::string>(),
                               model["features_from"].get<std::string>())});
  page.facts(facts);
  page.paragraph(
      "A key of a plot hides its curve, with Shift it hides all others; Ctrl and the wheel zoom; a double click takes "
      "all "
      "back.");
  if (more) more(page);
  for (std::size_t m = 0; m < plan.models.size(); ++m) {
    const std::string& model = plan.models[m].name;
    if (rows_of(table, model).empty()) continue;
    page.section(model);
    add_plots(page, table, model);
    page.section(model + ": images");
    add_images(page, comparison, m);
    page.section(model + ": table");
    add_table(page, table, model);
  }
  return page.html();
}

std::string compare_csv(const ordered_json& table) {
  std::string out =
      "model,variant,budget,steps,nfe,stochastic,images,seconds,metric,value,error,low,high,difference,"
      "difference_low,difference_high,pareto,order\n";
  const auto text = [](const ordered_json& from, const char* key) {
    return from.contains(key) && from[key].is_number() ? number_text(from[key].get<double>()) : std::string();
  };
  const auto quoted = [](const std::string& name) {
    std::string safe;
    for (const char c : name) safe += c == '"' ? "\"\"" : std::string(1, c);
    return "\"" + safe + "\"";
  };
  for (const auto& row : table["cells"]) {
    ordered_json scores = row["scores"];
    if (row.contains("distance")) scores["distance"] = row["distance"];
    for (const auto& [metric, score] : scores.items()) {
      const ordered_json d = score.value("difference", ordered_json::object());
      out += format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", quoted(row["model"]),
                    quoted(row["variant"]), text(row, "budget"), text(row, "steps"), text(row, "nfe"),
                    row["stochastic"].get<bool>(), text(row, "images"), text(row, "seconds"), quoted(metric),
                    text(score, "value"), text(score, "error"), text(score, "low"), text(score, "high"),
                    text(d, "value"), text(d, "low"), text(d, "high"), row.value("pareto", false),
                    metric == "distance" ? text(row, "order") : "");
    }
  }
  return out;
}

}  // namespace edmund
