#include "compare_plots.h"

#include "edmund/core/format.h"
#include "edmund/core/text.h"
#include "edmund/report/html.h"
#include "edmund/report/svg.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace edmund {

namespace {

std::vector<std::string> variants_of(const ComparisonTable& table) {
  std::vector<std::string> out;
  for (const CellResult& cell : table.cells)
    if (std::ranges::find(out, cell.variant) == out.end()) out.push_back(cell.variant);
  return out;
}

// One curve a variant: what `value` takes from a cell (null: left out) against `x`.
template <typename X, typename Value>
std::vector<Series> curves(const ComparisonTable& table, const std::string& model, const X& x, const Value& value) {
  std::vector<Series> out;
  std::int64_t look = 0;  // of the variant in all plots
  for (const auto& variant : variants_of(table)) {
    Series series{.label = variant, .look = look++};
    for (const CellResult& cell : table.cells_of(model, variant)) {
      const std::optional<Measured> found = value(cell);
      if (!found || !std::isfinite(found->value)) continue;
      series.x.push_back(x(cell));
      series.y.push_back(found->value);
      const double half = found->high ? *found->high - found->value : found->error.value_or(0.0);
      series.error.push_back(std::isfinite(half) ? half : 0.0);
    }
    out.push_back(std::move(series));
  }
  return out;
}

double nfe_of(const CellResult& cell) { return static_cast<double>(cell.nfe); }
double milliseconds_of(const CellResult& cell) { return cell.milliseconds(); }

std::optional<Measured> frechet_of(const CellResult& cell) {
  const CellScore* score = cell.score("frechet");
  return score != nullptr ? std::optional(score->measured) : std::nullopt;
}

// The cells that no other beats in both cost and distance, as the table marks them.
template <typename Cost>
Series pareto_front(std::vector<CellResult> cells, const Cost& cost) {
  Series out{.label = "Pareto front", .reference = true};
  std::erase_if(cells, [](const CellResult& cell) { return cell.score("frechet") == nullptr; });
  std::ranges::stable_sort(cells, {}, cost);
  double least = INFINITY;
  for (const CellResult& cell : cells) {
    const double value = cell.score("frechet")->measured.value;
    if (!(value < least)) continue;
    if (!out.x.empty() && out.x.back() == cost(cell)) {
      out.x.pop_back();
      out.y.pop_back();
    }
    out.x.push_back(cost(cell));
    out.y.push_back(frechet_of(cell)->value);
    least = value;
  }
  return out;
}

// Lines of the orders 1, 2 and 3 through the middle of the curves, as far as these reach.
std::vector<Series> order_lines(const std::vector<Series>& curves) {
  double x_low = INFINITY, x_high = 0, y_low = INFINITY, y_high = 0, x_sum = 0, y_sum = 0, count = 0;
  for (const Series& curve : curves)
    for (std::size_t i = 0; i < curve.x.size(); ++i) {
      if (!(curve.y[i] > 0)) continue;
      x_low = std::min(x_low, curve.x[i]), x_high = std::max(x_high, curve.x[i]);
      y_low = std::min(y_low, curve.y[i]), y_high = std::max(y_high, curve.y[i]);
      x_sum += std::log(curve.x[i]), y_sum += std::log(curve.y[i]), count += 1;
    }
  std::vector<Series> out;
  if (!(x_low < x_high)) return out;
  const double x = std::exp(x_sum / count), y = std::exp(y_sum / count);
  for (const int order : {1, 2, 3}) {
    Series line{.label = format("order {}", order), .dashed = true, .reference = true};
    // where the line has it
    const auto at = [&](double value) { return x * std::pow(y / value, 1.0 / order); };
    for (const double end : {std::max(x_low, at(y_high)), std::min(x_high, at(y_low))}) {
      line.x.push_back(end);
      line.y.push_back(y * std::pow(x / end, order));
    }
    out.push_back(std::move(line));
  }
  return out;
}

// Order between neighbouring budgets, at their geometric mean.
std::vector<Series> local_orders(const ComparisonTable& table, const std::string& model) {
  std::vector<Series> out;
  std::int64_t look = 0;  // of the variant in all plots
  for (const auto& variant : variants_of(table)) {
    Series series{.label = variant, .look = look++};
    double before = 0;
    for (const CellResult& cell : table.cells_of(model, variant)) {
      if (cell.order) {
        series.x.push_back(std::sqrt(before * nfe_of(cell)));
        series.y.push_back(*cell.order);
      }
      if (cell.distance) before = nfe_of(cell);
    }
    if (!series.x.empty()) out.push_back(std::move(series));
  }
  return out;
}

void add_distances(Page& page, const ComparisonTable& table, const std::string& model) {
  const auto distance = [](const CellResult& cell) { return cell.distance; };
  std::vector<Series> distances = curves(table, model, nfe_of, distance);
  std::erase_if(distances, [](const Series& series) { return series.x.empty(); });
  if (distances.empty()) return;
  for (Series& line : order_lines(distances)) distances.push_back(std::move(line));
  page.plot({.title = "Distance to the solution of the ODE, same noise",
             .x_label = "network evaluations an image (NFE)",
             .y_label = "RMS over an image's values, mean over images",
             .series = std::move(distances),
             .log_x = true,
             .log_y = true,
             .width = 1100,
             .height = 520},
            "Deterministic samplers only. Values lie in [-1, 1]. Lines in grey: how an error of that order falls.");
  const std::vector<Series> orders = local_orders(table, model);
  if (orders.empty()) return;
  page.plot({.title = "Order of convergence between neighbouring budgets",
             .x_label = "network evaluations an image (NFE)",
             .y_label = "-d ln distance / d ln NFE",
             .series = orders,
             .log_x = true,
             .width = 1100,
             .height = 420,
             .guides = {{"order 1", 1}, {"order 2", 2}, {"order 3", 3}}},
            "Slopes of the curves above. A method comes to its own order once its steps are short; before, and where "
            "the solution's own tolerance is reached, the slope is another.");
}

}  // namespace

void add_plots(Page& page, const ComparisonTable& table, const std::string& model) {
  const std::vector<CellResult> cells = table.cells_of(model);
  const CellScore* first = cells.empty() ? nullptr : cells.front().score("frechet");
  std::vector<Guide> guides;
  if (first != nullptr && first->floor)
    guides.push_back({format("{} real images", first->floor_images), *first->floor});
  const auto plot = [&](const std::string& against, const std::string& label, const auto& cost) {
    Plot out{.title = first->name + " against " + against,
             .x_label = label,
             .y_label = first->name,
             .series = curves(table, model, cost, frechet_of),
             .log_x = true,
             .log_y = true,
             .width = 1100,
             .height = 520,
             .guides = guides};
    out.series.push_back(pareto_front(cells, cost));
    return out;
  };
  if (first != nullptr)
    page.plot(
        plot("evaluations", "network evaluations an image (NFE)", nfe_of),
        format("{} images against {} real ones. Bars: the {} % intervals of the table. The line across: {} real "
               "images against the other {}. The wide line: the cells that no other beats in both.",
               first->images, first->real, short_number(100 * table.level), first->floor_images, first->floor_real));
  add_distances(page, table, model);
  if (first != nullptr) page.plot(plot("time", "milliseconds an image", milliseconds_of));
}

}  // namespace edmund
