#include "edmund/core/format.h"
#include "edmund/core/json_text.h"
#include "edmund/core/text.h"
#include "edmund/report/html.h"
#include "edmund/report/svg.h"
#include "edmund/samplers/sampler.h"
#include "edmund/studies/matrix.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

using nlohmann::ordered_json;

std::string fixed(double value, int digits) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

// Names of one axis in the order of the cells.
std::vector<std::string> axis(const Matrix& matrix, std::string MatrixCell::*name) {
  std::vector<std::string> out;
  for (const auto& cell : matrix.cells)
    if (std::find(out.begin(), out.end(), cell.*name) == out.end()) out.push_back(cell.*name);
  return out;
}

std::vector<const MatrixCell*> cells_of(const Matrix& matrix, const std::string& sampler, const std::string& schedule,
                                        const std::string& preconditioning = "") {
  std::vector<const MatrixCell*> out;
  for (const auto& cell : matrix.cells)
    if (cell.sampler == sampler && cell.schedule == schedule &&
        (preconditioning.empty() || cell.preconditioning == preconditioning))
      out.push_back(&cell);
  return out;
}

// 0: as stated, 1: at the limit of what is allowed.
double offence(const MatrixCell& cell) {
  if (!complaint(cell).empty()) return 1e6;
  if (cell.order > 0) return std::abs(cell.slope - cell.order) / 0.15;
  return cell.order == SamplerEntry::kStochastic ? cell.deviation / 5 : 0.0;
}

std::string found(const MatrixCell& cell) {
  if (!cell.failure.empty()) return "failed";
  if (cell.order == SamplerEntry::kStochastic) return fixed(cell.deviation, 1) + " se";
  if (cell.order == SamplerEntry::kTolerance) return short_number(cell.distances.back());
  return std::isnan(cell.slope) ? "-" : fixed(cell.slope, 2) + " ± " + fixed(cell.standard_error, 2);
}

// Green where the cell is as stated, over amber to red at the limit; translucent, for light and
// dark pages.
std::string shade(const MatrixCell& cell) {
  const double off = std::clamp(offence(cell), 0.0, 1.0), hue = 140 - 100 * off;
  return offence(cell) > 1 ? "background:rgba(213,40,30,.45)"
                           : format("background:hsla({},70%,45%,.28)", static_cast<int>(hue));
}

std::string id_of(const std::string& sampler, const std::string& schedule) { return sampler + "-" + schedule; }

// Samplers down, schedules across; each cell shows the worst of the parameterizations in it.
std::string table(const Matrix& matrix, const std::string& preconditioning) {
  const auto schedules = axis(matrix, &MatrixCell::schedule);
  std::string out =
      "<div class=\"wide\"><table><thead><tr><th>sampler</th><th>stated</th><th class=\"n\">NFE a step</th>";
  for (const auto& schedule : schedules) out += "<th style=\"padding:5px 8px\">" + escaped(schedule) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const auto& sampler : axis(matrix, &MatrixCell::sampler)) {
    const auto first = cells_of(matrix, sampler, schedules.front());
    const auto& evaluations = first.front()->evaluations;
    const std::string cost = evaluations.empty() ? "-" : fixed(evaluations.back() / first.front()->steps.back(), 2);
    out += format(
        "<tr><th scope=\"row\">{}</th><td style=\"white-space:normal;min-width:8em\">{}</td><td class=\"n\">{}</td>",
        escaped(sampler), stated_order(first.front()->order, first.front()->with), cost);
    for (const auto& schedule : schedules) {
      const auto cells = cells_of(matrix, sampler, schedule, preconditioning);
      const auto worst = *std::max_element(cells.begin(), cells.end(),
                                           [](const auto* a, const auto* b) { return offence(*a) < offence(*b); });
      std::string title;
      for (const auto* cell : cells)
        title += format("{}{}: {}{}", title.empty() ? "" : "\n", cell->preconditioning, found(*cell),
                        complaint(*cell).empty() ? "" : " - " + complaint(*cell));
      const bool plotted = worst->distances.size() > 1;
      const std::string text = escaped(found(*worst)) + (worst->one_interval ? "<sup>1</sup>" : "");
      out += format(
          "<td style=\"white-space:nowrap;padding:5px 8px;{}\" title=\"{}\">{}</td>", shade(*worst), escaped(title),
          plotted ? format("<a style=\"color:inherit\" href=\"#{}\">{}</a>", escaped(id_of(sampler, schedule)), text)
                  : text);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>";
}

// Distance against steps of all parameterizations, with a line of the stated order through the
// finest.
std::string plot(const std::vector<const MatrixCell*>& cells) {
  const MatrixCell& first = *cells.front();
  Plot plot{.title = first.sampler + " on " + first.schedule,
            .x_label = "steps",
            .y_label = "relative distance",
            .log_x = true,
            .log_y = true,
            .width = 460,
            .height = 300};
  for (const auto* cell : cells)
    plot.series.push_back({.label = cell->preconditioning, .x = cell->steps, .y = cell->distances});
  if (first.order > 0 && !first.distances.empty()) {
    Series line{.label = format("order {}", first.order), .dashed = true};
    for (const double steps : {first.steps.front(), first.steps.back()}) {
      line.x.push_back(steps);
      line.y.push_back(first.distances.back() * std::pow(first.steps.back() / steps, first.order));
    }
    plot.series.push_back(std::move(line));
  }
  return svg(plot);
}

std::string curves(const Matrix& matrix, const std::string& sampler) {
  std::string plots;
  for (const auto& schedule : axis(matrix, &MatrixCell::schedule)) {
    std::vector<const MatrixCell*> cells;
    for (const auto* cell : cells_of(matrix, sampler, schedule))
      if (cell->distances.size() > 1) cells.push_back(cell);
    if (cells.empty()) continue;
    const MatrixCell& finest = *cells.front();
    plots +=
        format("<figure id=\"{}\">{}<figcaption>{} from the solution with {} evaluations{}</figcaption></figure>\n",
               escaped(id_of(sampler, schedule)), plot(cells), short_number(finest.distances.back()),
               static_cast<std::int64_t>(finest.evaluations.back()),
               finest.one_interval ? "; between the first two entries of the table" : "");
  }
  if (plots.empty()) return "";
  return format("<details><summary>{}</summary><div class=\"columns\">{}</div></details>\n", escaped(sampler), plots);
}

void add_orders(Page& page, const Matrix& matrix) {
  page.section("Order of convergence",
               "Slope of the distance to the ODE's solution against the number of steps, with its standard error; the "
               "worst of all parameterizations. A cell leads to its curves.");
  page.facts({{"measured", summary(matrix)},
              {"grid", format("ln σ uniform from {} to {}; the last step to σ = 0 is left out", matrix.sigmas.high,
                              matrix.sigmas.low)},
              {"solution",
               format("fourth-order Runge-Kutta in ln σ, known to {} of its size", short_number(matrix.uncertainty))},
              {"as stated",
               "slope within 0.15 of the order; se: mean and covariance of a stochastic sampler, greatest deviation in "
               "standard errors, at most 5; tolerance: ends within 1e-3"},
              {"time", format("{} s", fixed(matrix.seconds, 1))}});
  page.figure(table(matrix, ""));
  if (std::any_of(matrix.cells.begin(), matrix.cells.end(), [](const MatrixCell& cell) { return cell.one_interval; }))
    page.paragraph(
        "¹ The slopes of a table of noise levels jump at its entries, and this sampler uses them: its error is a power "
        "of the step between two entries only, where it was measured, on the mixture in units that suit these levels.");
  page.section("By parameterization");
  for (const auto& name : axis(matrix, &MatrixCell::preconditioning))
    page.figure(format("<details><summary>{}</summary>{}</details>", escaped(name), table(matrix, name)));
  page.section("Curves",
               "Relative distance against steps. Parameterizations lie on each other until rounding tells them apart.");
  for (const auto& sampler : axis(matrix, &MatrixCell::sampler))
    if (const std::string plots = curves(matrix, sampler); !plots.empty()) page.figure(plots);
}

void add_schedules(Page& page, const Matrix& matrix) {
  page.section("Schedules", "Each by itself: s in (0, 1] and σ increasing, σ and its inverse, rates and differences.");
  std::vector<std::vector<std::string>> rows;
  for (const auto& schedule : matrix.schedules)
    rows.push_back({schedule.schedule, short_number(schedule.sigmas.low), short_number(schedule.sigmas.high),
                    schedule.violations.empty() ? "as stated" : complaint(schedule)});
  page.table({"schedule", "lowest σ", "highest σ", "contract"}, rows);
}

void add_refusals(Page& page, const Matrix& matrix) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& config : matrix.configs)
    if (!config.refusal.empty() || !complaint(config).empty())
      rows.push_back({config.config, config.refusal.empty() ? complaint(config) : config.refusal,
                      config.expected.empty() ? "no" : "yes: " + config.expected});
  page.section("Refused configs",
               format("Of {} pairs with the schedule's own range, {} are accepted; these are refused before anything "
                      "is trained or drawn.",
                      matrix.configs.size(), matrix.configs.size() - rows.size()));
  page.table({"config", "reason", "expected"}, rows);
}

}  // namespace

std::string matrix_json(const Matrix& matrix) {
  ordered_json out = {{"sigma_range", {matrix.sigmas.low, matrix.sigmas.high}},
                      {"solution_uncertainty", matrix.uncertainty},
                      {"seconds", matrix.seconds}};
  const auto number = [](double value) { return std::isnan(value) ? ordered_json(nullptr) : ordered_json(value); };
  for (const auto& cell : matrix.cells) {
    ordered_json row = {{"schedule", cell.schedule},
                        {"sampler", cell.sampler},
                        {"preconditioning", cell.preconditioning},
                        {"stated", stated_order(cell.order, cell.with)}};
    if (const std::string wrong = complaint(cell); !wrong.empty()) row["complaint"] = wrong;
    row.update({{"steps", cell.steps}, {"evaluations", cell.evaluations}, {"distances", cell.distances}});
    if (cell.order == SamplerEntry::kStochastic)
      row["deviation_in_standard_errors"] = number(cell.deviation);
    else
      row.update({{"slope", number(cell.slope)},
                  {"slope_standard_error", number(cell.standard_error)},
                  {"one_interval", cell.one_interval}});
    out["cells"].push_back(row);
  }
  const auto text = [](const std::string& value) {
    return value.empty() ? ordered_json(nullptr) : ordered_json(value);
  };
  for (const auto& config : matrix.configs)
    out["configs"].push_back(
        {{"config", config.config}, {"expected", text(config.expected)}, {"refused", text(config.refusal)}});
  for (const auto& schedule : matrix.schedules)
    out["schedules"].push_back({{"schedule", schedule.schedule},
                                {"sigma_range", {schedule.sigmas.low, schedule.sigmas.high}},
                                {"violations", schedule.violations}});
  return json_text(out, 1) + "\n";
}

std::string matrix_page(const Matrix& matrix) {
  Page page("Schedules × samplers × parameterizations",
            "each measured on a Gaussian mixture, whose denoiser and ODE are known");
  add_orders(page, matrix);
  add_schedules(page, matrix);
  add_refusals(page, matrix);
  return page.html();
}

}  // namespace edmund
