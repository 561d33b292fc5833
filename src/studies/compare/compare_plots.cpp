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

constexpr double kWidth = 900;

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
std::vector<Series> local_orders(const ComparisonTable& table, const std::vector<Curve>& curves) {
  std::vector<Series> out;
  for (const Curve& curve : curves) {
    Series series{.label = curve.label, .look = curve.look, .dash = curve.dash};
    double before = 0;
    for (const CellResult& cell : table.cells_of(curve.model, curve.variant)) {
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

void add_distances(Page& page, const ComparisonTable& table, const std::vector<Curve>& curves) {
  const auto distance = [](const CellResult& cell) { return cell.distance; };
  std::vector<Series> distances;
  for (const Curve& curve : curves) distances.push_back(series_of(table, curve, nfe_of, distance));
  std::erase_if(distances, [](const Series& series) { return series.x.empty(); });
  if (distances.empty()) return;
  for (Series& line : order_lines(distances)) distances.push_back(std::move(line));
  page.plot({.title = "Distance to the solution of the ODE, same noise",
             .x_label = "network evaluations an image (NFE)",
             .y_label = "RMS over an image's values, mean over images",
             .series = std::move(distances),
             .log_x = true,
             .log_y = true,
             .width = kWidth,
             .height = 460},
            format("Deterministic samplers only. Values lie in [-1, 1]. Bars: {} % intervals. Lines in grey: how an "
                   "error of that order falls.",
                   short_number(100 * table.level)));
  const std::vector<Series> orders = local_orders(table, curves);
  if (orders.empty()) return;
  page.plot({.title = "Order of convergence between neighbouring budgets",
             .x_label = "network evaluations an image (NFE)",
             .y_label = "-d ln distance / d ln NFE",
             .series = orders,
             .log_x = true,
             .width = kWidth,
             .height = 420,
             .guides = {{"order 1", 1}, {"order 2", 2}, {"order 3", 3}}},
            "Slopes of the curves above. A method comes to its own order once its steps are short; before, and where "
            "the solution's own tolerance is reached, the slope is another.");
}

// Values with their intervals below each other, for what was drawn at one cost only.
Plot forest(const ComparisonTable& table, const std::vector<Curve>& curves, const CellScore& first,
            std::vector<Guide> guides) {
  Plot out{.title = first.name,
           .x_label = first.name,
           .y_label = "",
           .width = 900,
           .height = 90 + 26.0 * static_cast<double>(curves.size()),
           .guides = std::move(guides)};
  for (const Curve& curve : curves) {
    Series series = series_of(table, curve, nfe_of, frechet_of);
    std::swap(series.x, series.y);
    std::ranges::fill(series.y, static_cast<double>(out.y_names.size()));
    series.points = true;
    out.y_names.push_back(curve.label);
    series.label.clear();
    out.series.push_back(std::move(series));
  }
  return out;
}

bool has_one_cost(const std::vector<CellResult>& cells) {
  return std::ranges::all_of(cells, [&](const CellResult& cell) { return cell.nfe == cells.front().nfe; });
}

}  // namespace

void add_plots(Page& page, const ComparisonTable& table, const std::vector<Curve>& curves) {
  std::vector<CellResult> cells;
  for (const Curve& curve : curves)
    for (CellResult& cell : table.cells_of(curve.model, curve.variant)) cells.push_back(std::move(cell));
  const CellScore* first = cells.empty() ? nullptr : cells.front().score("frechet");
  const bool is_one_model = std::ranges::all_of(curves, [&](const Curve& c) { return c.model == curves[0].model; });
  std::vector<Guide> guides;
  if (first != nullptr && first->floor)
    guides.push_back({format("{} real images", first->floor_images), *first->floor});
  const auto plot = [&](const std::string& against, const std::string& label, const auto& cost) {
    Plot out{.title = first->name + " against " + against,
             .x_label = label,
             .y_label = first->name,
             .log_x = true,
             .log_y = true,
             .width = kWidth,
             .height = 460,
             .guides = guides};
    for (const Curve& curve : curves) out.series.push_back(series_of(table, curve, cost, frechet_of));
    if (is_one_model) out.series.push_back(pareto_front(cells, cost));
    return out;
  };
  const std::string caption =
      first == nullptr ? ""
                       : format("{} images against {} real ones. Bars: the {} % intervals of the table.{}",
                                first->images, first->real, short_number(100 * table.level),
                                first->floor ? format(" The dashed line: {} real images against the other {}.",
                                                      first->floor_images, first->floor_real)
                                             : "");
  if (first != nullptr && has_one_cost(cells))
    page.plot(forest(table, curves, *first, guides), format("{} {} evaluations an image.", caption, cells.front().nfe));
  else if (first != nullptr)
    page.plot(plot("evaluations", "network evaluations an image (NFE)", nfe_of),
              caption + (is_one_model ? " The wide line: the cells that no other beats in both." : ""));
  if (has_one_cost(cells)) return;
  add_distances(page, table, curves);
  if (first != nullptr && is_one_model) page.plot(plot("time", "milliseconds an image", milliseconds_of));
}

}  // namespace edmund
