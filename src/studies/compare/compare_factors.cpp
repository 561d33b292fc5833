// Factor × factor tables of a comparison.

#include "compare_factors.h"

#include "compare_settings.h"
#include "edmund/core/format.h"
#include "edmund/core/text.h"
#include "edmund/report/html.h"
#include "edmund/studies/factor_table.h"

#include <set>

namespace edmund {
namespace {

// A place in a table, and the cell whose scores stand there; null: none.
using CellAt = std::vector<std::vector<const CellResult*>>;

// One table a metric, the first to be seen at once. `where`: at which budget.
void add_tables(Page& page, const CellAt& at, FactorTable table, const std::string& where = "") {
  std::vector<CellResult> all;
  for (const auto& row : at)
    for (const CellResult* cell : row)
      if (cell != nullptr) all.push_back(*cell);
  const std::vector<std::string> metrics = metrics_of(all);
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    std::string name;
    table.cells.clear();
    for (const auto& row : at) {
      table.cells.emplace_back();
      for (const CellResult* cell : row) {
        const CellScore* score = cell == nullptr ? nullptr : cell->score(metrics[i]);
        table.cells.back().push_back(score == nullptr ? std::nullopt : std::optional(score->measured));
        if (score == nullptr) continue;
        name = score->name;
        table.higher_is_better = higher_is_better(*score);
      }
    }
    if (i == 1) page.begin_fold("The other metrics");
    table.title = name + where;
    add_factor_table(page, table);
  }
  if (metrics.size() > 1) page.end_fold();
}

const CellResult* cell_at(const ComparisonTable& table, const std::string& model, const std::string& variant,
                          std::int64_t budget) {
  const auto found = std::ranges::find_if(table.cells, [&](const CellResult& cell) {
    return cell.model == model && cell.variant == variant && cell.budget == budget;
  });
  return found == table.cells.end() ? nullptr : &*found;
}

std::vector<std::int64_t> budgets_of(const ComparisonTable& table) {
  std::set<std::int64_t> out;
  for (const CellResult& cell : table.cells) out.insert(cell.budget);
  return {out.begin(), out.end()};
}

void add_budgets(Page& page, const ComparisonTable& table, const std::vector<Curve>& curves) {
  const std::vector<std::int64_t> budgets = budgets_of(table);
  if (curves.size() < 2 || budgets.size() < 2) return;
  FactorTable out{.corner = "variant / NFE budget"};
  for (const std::int64_t budget : budgets) out.columns.push_back(number_text(budget));
  CellAt at;
  for (const Curve& curve : curves) {
    out.rows.push_back(curve.label);
    out.marks.push_back(curve.mark());
    at.emplace_back();
    for (const std::int64_t budget : budgets) at.back().push_back(cell_at(table, curve.model, curve.variant, budget));
  }
  add_tables(page, at, out);
}

std::string at_budget(std::int64_t budget) {
  return budget > 0 ? format(" at a budget of {} evaluations", budget) : "";
}

void add_unique(std::vector<std::string>& all, const std::string& value) {
  if (std::ranges::find(all, value) == all.end()) all.push_back(value);
}

// Variants that differ in two settings, each pair of values once, at the largest budget.
void add_pairs(Page& page, const Comparison& comparison, const ComparisonTable& table, const std::string& model) {
  const Differences differ = differences_of(comparison);
  if (differ.keys.size() != 2) return;
  FactorTable out{.corner = format("{} / {}", differ.keys[0], differ.keys[1])};
  std::set<std::pair<std::string, std::string>> pairs;
  for (const auto& values : differ.values) {
    add_unique(out.rows, values[0]);
    add_unique(out.columns, values[1]);
    pairs.insert({values[0], values[1]});
  }
  if (out.rows.size() < 2 || out.columns.size() < 2 || pairs.size() != differ.values.size()) return;
  if (2 * pairs.size() <= out.rows.size() * out.columns.size()) return;  // mostly holes
  const std::int64_t budget = budgets_of(table).back();
  CellAt at(out.rows.size(), std::vector<const CellResult*>(out.columns.size()));
  for (std::size_t v = 0; v < differ.values.size(); ++v) {
    const auto row = std::ranges::find(out.rows, differ.values[v][0]) - out.rows.begin();
    const auto column = std::ranges::find(out.columns, differ.values[v][1]) - out.columns.begin();
    at[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)] =
        cell_at(table, model, comparison.plan().variants[v], budget);
  }
  add_tables(page, at, out, at_budget(budget));
}

}  // namespace

void add_factors(Page& page, const Comparison& comparison, const ComparisonTable& table,
                 const std::vector<Curve>& of_model) {
  add_budgets(page, table, of_model);
  if (!of_model.empty()) add_pairs(page, comparison, table, of_model.front().model);
}

void add_model_factors(Page& page, const ComparisonTable& table) {
  const std::vector<std::string> variants = variants_of(table);
  if (table.models.size() < 2 || variants.size() < 2) return;
  const std::vector<std::int64_t> budgets = budgets_of(table);
  FactorTable out{.corner = "model / variant", .columns = variants};
  for (const ModelFacts& model : table.models) out.rows.push_back(model.name);
  const auto cells_at = [&](std::int64_t budget) {
    CellAt at;
    for (const ModelFacts& model : table.models) {
      at.emplace_back();
      for (const auto& variant : variants) at.back().push_back(cell_at(table, model.name, variant, budget));
    }
    return at;
  };
  const auto is_full = [](const CellAt& at) {
    return std::ranges::none_of(at, [](const auto& row) { return std::ranges::count(row, nullptr) > 0; });
  };
  auto budget = budgets.rbegin();
  while (budget + 1 != budgets.rend() && !is_full(cells_at(*budget))) ++budget;
  add_tables(page, cells_at(*budget), out, at_budget(*budget));
}

}  // namespace edmund
