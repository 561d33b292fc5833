#include "compare_plots.h"
#include "edmund/core/text.h"
#include "edmund/io/image_io.h"
#include "edmund/report/html.h"
#include "edmund/report/svg.h"
#include "edmund/studies/compare.h"

#include <algorithm>
#include <ATen/Functions.h>
#include <cmath>
#include <optional>

namespace edmund {
namespace {

constexpr std::int64_t kShown = 4;  // images of a cell

std::string number(double value) { return std::isfinite(value) ? short_number(value) : "–"; }

std::string with_interval(const Measured& found) {
  const std::string value = number(found.value);
  if (found.low) return format("{} [{}, {}]", value, number(*found.low), number(*found.high));
  if (found.error) return format("{} ± {}", value, number(*found.error));
  return value;
}

// "; 1000 images against 50000 real ones".
std::string sizes_text(const CellScore& score) {
  std::string out = score.images > 0 ? format("; {} images", score.images) : "";
  return score.real > 0 ? out + format(" against {} real ones", score.real) : out;
}

std::string difference_text(const std::optional<Measured>& difference) {
  if (!difference) return "–";
  const bool leaves_out_zero = difference->low && (*difference->low > 0 || *difference->high < 0);
  return with_interval(*difference) + (leaves_out_zero ? " *" : "");
}

// Keys of the scores of any cell, in the order in which they come.
std::vector<std::string> metrics_of(const std::vector<CellResult>& cells) {
  std::vector<std::string> out;
  for (const CellResult& cell : cells)
    for (const CellScore& score : cell.scores)
      if (std::ranges::find(out, score.metric) == out.end()) out.push_back(score.metric);
  return out;
}

std::string baseline_of(const ComparisonTable& table, const std::string& model) {
  const auto facts = std::ranges::find(table.models, model, &ModelFacts::name);
  return facts == table.models.end() || facts->baseline.empty() ? table.baseline : facts->baseline;
}

std::vector<std::string> table_line(const CellResult& cell, const std::vector<std::string>& metrics) {
  std::vector<std::string> out{cell.variant, cell.steps == 0 ? "–" : number(static_cast<double>(cell.steps)),
                               number(static_cast<double>(cell.nfe))};
  for (const auto& metric : metrics) {
    const CellScore* score = cell.score(metric);
    out.push_back(score != nullptr ? with_interval(score->measured) : "–");
    if (metric == "frechet") out.push_back(score != nullptr ? difference_text(score->difference) : "–");
  }
  out.push_back(cell.distance ? with_interval(*cell.distance) : "–");
  out.push_back(number(cell.order.value_or(NAN)));
  out.push_back(short_number(cell.milliseconds()));
  out.push_back(cell.pareto.value_or(false) ? "yes" : "");
  return out;
}

void add_table(Page& page, const ComparisonTable& table, const std::string& model) {
  const std::vector<CellResult> cells = table.cells_of(model);
  const std::vector<std::string> metrics = metrics_of(cells);
  std::vector<std::string> head{"variant", "steps", "NFE"};
  for (const auto& metric : metrics) {
    const CellScore* score = cells.front().score(metric);
    head.push_back(score != nullptr ? score->name : metric);
    if (metric == "frechet") head.push_back("less " + baseline_of(table, model));
  }
  for (const char* more : {"distance to the ODE", "order", "ms an image", "Pareto"}) head.emplace_back(more);
  std::vector<std::vector<std::string>> lines;
  for (const CellResult& cell : cells) lines.push_back(table_line(cell, metrics));
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
        if (cell.kind == CellKind::kVariant && cell.model == model && cell.variant == v && cell.nfe == budget &&
            comparison.drawn(cell))
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

Page compare_page(Comparison& comparison, const ComparisonTable& table, const std::function<void(Page&)>& more) {
  const ComparePlan& plan = comparison.plan();
  Page page("edmund compare: " + plan.name, format("{} images a cell from seed {}, paired", plan.images, plan.seed));
  page.interactive();
  page.section("What was compared");
  const bool own_baselines =
      std::any_of(plan.models.begin(), plan.models.end(), [](const auto& model) { return !model.baseline.empty(); });
  std::vector<std::pair<std::string, std::string>> facts{
      {"cells", std::to_string(table.cells.size())},
      {"intervals", format("{} % about the value, from the choice of the drawn images (delta method); the real images "
                           "are taken as they are",
                           short_number(100 * plan.level))},
      {"differences",
       format("to {} at the same budget, row by row of the same seeds; * where the interval leaves out 0",
              own_baselines ? "the model that each names as its baseline" : plan.baseline_name())}};
  if (!table.cells.empty())
    for (const CellScore& score : table.cells.front().scores)
      facts.push_back({score.name, format("{}{}", score.estimator, sizes_text(score))});
  for (const ModelFacts& model : table.models)
    facts.push_back({model.name, format("{}, {} images; features: {} {}", model.checkpoint,
                                        human_count(static_cast<double>(model.trained_images)), model.features,
                                        model.features_from)});
  page.facts(facts);
  page.paragraph(
      "A key of a plot hides its curve, with Shift it hides all others; Ctrl and the wheel zoom; a double click takes "
      "all back.");
  if (more) more(page);
  for (std::size_t m = 0; m < plan.models.size(); ++m) {
    const std::string& model = plan.models[m].name;
    if (table.cells_of(model).empty()) continue;
    page.section(model);
    add_plots(page, table, model);
    page.section(model + ": images");
    add_images(page, comparison, m);
    page.section(model + ": table");
    add_table(page, table, model);
  }
  return page;
}

}  // namespace edmund
