#include "compare_factors.h"
#include "compare_plots.h"
#include "edmund/core/text.h"
#include "edmund/io/image_io.h"
#include "edmund/report/html.h"
#include "edmund/report/svg.h"
#include "edmund/studies/compare.h"
#include "edmund/studies/factor_table.h"

#include <algorithm>
#include <ATen/Functions.h>
#include <cmath>
#include <optional>

namespace edmund {
namespace {

// pixels that an image of a cell is shown wide
constexpr std::int64_t kSmallest = 64, kLargest = 128;
constexpr std::size_t kMostCurves = 24;  // that one plot can tell apart

std::string number(double value) { return std::isfinite(value) ? short_number(value) : "–"; }

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

std::string baseline_of(const ComparisonTable& table, const std::string& model) {
  const auto facts = std::ranges::find(table.models, model, &ModelFacts::name);
  return facts == table.models.end() || facts->baseline.empty() ? table.baseline : facts->baseline;
}

std::vector<std::string> table_line(const CellResult& cell, const std::vector<std::string>& metrics,
                                    const std::string& label) {
  std::vector<std::string> out{label, cell.steps == 0 ? "–" : number(static_cast<double>(cell.steps)),
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

// The cells of some curves: those of one model, whose baseline stands in the head, or of all.
void add_table(Page& page, const ComparisonTable& table, const std::vector<Curve>& curves, bool is_one_model) {
  std::vector<std::pair<const Curve*, CellResult>> cells;
  for (const Curve& curve : curves)
    for (CellResult& cell : table.cells_of(curve.model, curve.variant)) cells.emplace_back(&curve, std::move(cell));
  std::vector<CellResult> all;
  for (const auto& [curve, cell] : cells) all.push_back(cell);
  const std::vector<std::string> metrics = metrics_of(all);
  std::vector<std::string> head{is_one_model ? "variant" : "model", "steps", "NFE"};
  for (const auto& metric : metrics) {
    const CellScore* score = all.front().score(metric);
    head.push_back(score != nullptr ? score->name : metric);
    if (metric == "frechet")
      head.push_back("less " + (is_one_model ? baseline_of(table, all[0].model) : "the baseline"));
  }
  for (const char* more : {"distance to the ODE", "order", "ms an image", "Pareto"}) head.emplace_back(more);
  std::vector<std::vector<std::string>> lines;
  Page::TableLook look;
  for (const auto& [curve, cell] : cells) {
    lines.push_back(table_line(cell, metrics, curve->label));
    look.marks.push_back(curve->mark());
  }
  page.table(head, lines, look);
}

// Images of a cell in so many columns, enlarged until they can be seen. Undefined where none are
// drawn.
Tensor tile(const Comparison& comparison, const Curve& curve, std::int64_t budget, std::int64_t count,
            std::int64_t columns) {
  const ComparePlan& plan = comparison.plan();
  for (const CompareCell& cell : comparison.cells()) {
    if (cell.kind != CellKind::kVariant || cell.nfe != budget || plan.models[cell.model].name != curve.model ||
        plan.variants[cell.variant] != curve.variant || !comparison.drawn(cell))
      continue;
    const Tensor images = comparison.images_of(cell, count);
    return image_grid(images, columns, std::max<std::int64_t>(1, kSmallest / images.size(3)), 2);
  }
  return {};
}

// The same as one picture, blank where a cell is missing.
std::string whole_of(const std::vector<std::vector<Tensor>>& tiles) {
  Tensor any;
  for (const auto& row : tiles)
    for (const Tensor& image : row)
      if (image.defined()) any = image;
  std::vector<Tensor> all;
  for (const auto& row : tiles)
    for (const Tensor& image : row)
      all.push_back(image.defined() && image.sizes() == any.sizes() ? image : at::full_like(any, 255));
  return png_bytes(image_grid(at::stack(all), static_cast<std::int64_t>(tiles.front().size()), 1, 10));
}

void add_images(Page& page, const Comparison& comparison, const std::vector<Curve>& curves) {
  const ComparePlan& plan = comparison.plan();
  const std::vector<std::int64_t> budgets = plan.nfe.empty() ? std::vector<std::int64_t>{0} : plan.nfe;
  const std::int64_t count = std::min<std::int64_t>(budgets.size() > 1 ? 4 : 8, plan.images),
                     columns = budgets.size() > 1 ? 2 : 8;
  std::vector<std::vector<Tensor>> tiles;
  std::vector<Page::PictureRow> rows;
  std::int64_t width = 0;
  for (const Curve& curve : curves) {
    std::vector<Tensor> row;
    for (const std::int64_t budget : budgets) row.push_back(tile(comparison, curve, budget, count, columns));
    if (std::ranges::none_of(row, [](const Tensor& image) { return image.defined(); })) continue;
    rows.push_back({.mark = curve.mark(), .name = curve.label, .pngs = {}});
    for (const Tensor& image : row) {
      rows.back().pngs.push_back(image.defined() ? png_bytes(image) : "");
      if (image.defined()) width = std::max(width, image.size(2));
    }
    tiles.push_back(std::move(row));
  }
  if (tiles.empty()) return;
  std::vector<std::string> names;
  for (const auto budget : budgets) names.push_back(budget > 0 ? format("budget {}", budget) : "");
  page.pictures(names, rows, std::min(width, columns * kLargest),
                format("Images 0 to {} of each cell: the same noise and class everywhere.", count - 1),
                whole_of(tiles));
}

void add_facts(Page& page, const ComparePlan& plan, const ComparisonTable& table) {
  const bool own_baselines =
      std::any_of(plan.models.begin(), plan.models.end(), [](const auto& model) { return !model.baseline.empty(); });
  std::vector<std::pair<std::string, std::string>> facts{
      {"cells", std::to_string(table.cells.size())},
      {"intervals", format("{} % about the value, from the choice of the drawn images (delta method); the real images "
                           "are taken as they are",
                           short_number(100 * plan.level))},
      {"differences",
       format("to {} at the same budget, row by row of the same seeds; * where the interval leaves out 0",
              own_baselines ? "the baseline that stands with each model below" : plan.baseline_name())}};
  if (!table.cells.empty())
    for (const CellScore& score : table.cells.front().scores)
      facts.push_back({score.name, format("{}{}", score.estimator, sizes_text(score))});
  for (const ModelFacts& model : table.models)
    facts.push_back(
        {model.name, format("{} ({}), {} images; features: {} {}{}", model.checkpoint, model.kind,
                            human_count(static_cast<double>(model.trained_images)), model.features, model.features_from,
                            own_baselines ? "; baseline: " + baseline_of(table, model.name) : "")});
  page.facts(facts);
}

}  // namespace

Page compare_page(Comparison& comparison, const ComparisonTable& table, const std::function<void(Page&)>& more,
                  std::span<const ModelLook> looks) {
  const ComparePlan& plan = comparison.plan();
  const std::vector<Curve> curves = curves_of(table, looks);
  const bool several_models = table.models.size() > 1, several_variants = plan.variants.size() > 1;
  Page page(format("edmund {}: {}", looks.empty() ? "compare" : "ablate", plan.name),
            format("{} images a cell from seed {}, paired", plan.images, plan.seed));
  page.interactive();
  page.section("What was compared");
  add_facts(page, plan, table);
  page.paragraph(
      "A key of a plot hides its curve, with Shift it hides all others; Ctrl and the wheel zoom; a double click takes "
      "all back.");
  add_settings(page, comparison, table, curves);
  if (more) more(page);
  if (several_models) {
    page.section("All models");
    if (curves.size() <= kMostCurves) add_plots(page, table, curves);
    add_model_factors(page, table);
    add_training_lengths(page, table, curves);
  }
  add_guidance(page, table, curves);
  if (several_models && !several_variants) {
    page.section("Images");
    add_images(page, comparison, curves);
    page.section("Table");
    add_table(page, table, curves, false);
    return page;
  }
  for (const auto& model : plan.models) {
    const std::vector<Curve> own = curves_of(curves, model.name);
    if (own.empty()) continue;
    page.section(model.name);
    add_plots(page, table, own);
    add_factors(page, comparison, table, own);
    page.section(model.name + ": images");
    add_images(page, comparison, own);
    page.section(model.name + ": table");
    add_table(page, table, own, true);
  }
  return page;
}

}  // namespace edmund
