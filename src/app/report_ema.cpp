#include "edmund/core/text.h"
#include "edmund/report/html.h"
#include "edmund/report/svg.h"
#include "edmund/training/ema.h"
#include "edmund/training/posthoc_ema.h"
#include "report_json.h"
#include "report_plots.h"

#include <algorithm>
#include <ATen/core/Tensor.h>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace edmund {
namespace {

using nlohmann::json;

// What rows have in common whose scores lie on one curve.
std::string curve_of(const json& row) {
  return format("{}, {} images of seed {}, trained on {}", row.value("sampling", ""), row.value("images", 0),
                row.value("seed", 0), human_count(row.value("trained_images", 0.0)));
}

// Points of one metric and curve, by width.
struct Known {
  double value, low, high;  // NaN: no interval
};
using Points = std::map<double, Known>;

Series series_of(const std::string& label, const Points& points) {
  Series out{.label = label};
  for (const auto& [width, score] : points) {
    out.x.push_back(width);
    out.y.push_back(score.value);
    out.low.push_back(score.low);
    out.high.push_back(score.high);
  }
  return out;
}

Plot profiles(const std::set<double>& widths) {
  Plot out{.title = "What the averages are averages of", .x_label = "share of the training", .y_label = "weight"};
  constexpr std::int64_t kPoints = 200;
  for (const double width : widths) {
    const Tensor weights =
        sampled_profile({.images = static_cast<double>(kPoints), .gamma = power_ema_gamma(width)}, kPoints + 1);
    Series series{.label = short_number(width)};
    for (std::int64_t i = 0; i <= kPoints; ++i) {
      series.x.push_back(static_cast<double>(i) / kPoints);
      series.y.push_back(weights[i].item<double>() * kPoints);
    }
    out.series.push_back(std::move(series));
  }
  return out;
}

}  // namespace

void add_ema_curve(Page& page, const json& scores) {
  std::map<std::string, std::map<std::string, Points>> metrics;  // by metric and curve
  std::set<double> widths;
  for (const json& row : scores) {
    if (!row.contains("ema_width") || !row["ema_width"].is_number()) continue;
    const double width = row["ema_width"];
    for (const json& score : row.value("scores", json::array())) {
      if (!score.contains("value") || !score["value"].is_number()) continue;
      metrics[score.value("name", "")][curve_of(row)][width] = {
          score["value"].get<double>(), number_or_nan(score, "low"), number_or_nan(score, "high")};
      widths.insert(width);
    }
  }
  if (widths.size() < 2) return;
  page.section("Length of the average",
               "Scores of averages of the weights by their relative width: the standard deviation of what is averaged "
               "over, as a share of the training. Each was made afterwards, by least squares, of the averages that "
               "were kept along the training (Karras et al. 2024).");
  page.begin_columns();
  for (const auto& [metric, curves] : metrics) {
    Plot plot{.title = metric, .x_label = "relative width", .y_label = metric, .series = {}, .log_x = true};
    for (const auto& [label, points] : curves)
      if (points.size() > 1) plot.series.push_back(series_of(label, points));
    if (!plot.series.empty()) page.plot(plot);
  }
  page.plot(profiles(widths));
  page.end_columns();
}

}  // namespace edmund
