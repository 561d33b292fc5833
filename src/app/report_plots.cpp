#include "report_plots.h"

#include "edmund/app/curvature.h"
#include "edmund/core/parsed_json.h"
#include "edmund/core/text.h"
#include "edmund/report/html.h"
#include "edmund/report/svg.h"

#include <algorithm>
#include <ATen/ops/full.h>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

namespace edmund {
namespace {

using nlohmann::json;

// Density of ln σ: du/d ln σ of the quantile function, between steps of equal probability.
Series density(const NoiseLevels& levels) {
  Series out{.label = "density of training"};
  constexpr int kSteps = 200;
  constexpr double kLow = 0.002, kHigh = 0.998, kStep = (kHigh - kLow) / kSteps;
  double before = levels(kLow), share = kLow;
  for (int i = 1; i <= kSteps; ++i) {
    const double u = kLow + i * kStep, sigma = levels(u), width = std::log(sigma / before);
    if (!(width > 0)) continue;  // known levels come in steps
    out.x.push_back(std::sqrt(before * sigma));
    out.y.push_back((u - share) / width);
    before = sigma, share = u;
  }
  return out;
}

Series loss_at_levels(const json& line) {
  Series out{.label = human_count(line["images"].get<double>()) + " images"};
  for (const auto& bin : member(line, "bins")) {
    const json &sigma = member(bin, "sigma"), &loss = member(bin, "loss");
    if (!sigma.is_number() || !loss.is_number()) continue;
    out.x.push_back(sigma);
    out.y.push_back(loss);
  }
  return out;
}

}  // namespace

void add_training(Page& page, const Experiment& experiment, const std::vector<json>& lines,
                  const std::vector<json>& validation) {
  if (lines.empty()) return;
  page.section("Training");
  Series loss{.label = "loss"}, rate{.label = "images per second"};
  const auto add = [](Series& series, const json& line, const char* key) {
    if (!member(line, key).is_number()) return;
    series.x.push_back(line["images"]);
    series.y.push_back(line[key]);
  };
  for (const auto& line : lines) {
    add(loss, line, "loss");
    add(rate, line, "images_per_second");
  }
  Series held_out{.label = "held-out images, averaged weights"};
  for (const auto& line : validation) add(held_out, line, "loss");
  std::vector<Series> losses = {std::move(loss)};
  if (!held_out.x.empty()) losses.push_back(std::move(held_out));
  const Series drawn = density(experiment.levels);
  // of the bins
  const std::vector<double> span{experiment.levels(0.005), experiment.levels(0.995)};
  Plot bins{.title = "Loss at each noise level",
            .x_label = "σ",
            .y_label = "loss",
            .log_x = true,
            .log_y = true,
            .covers_x = span};
  const std::size_t count = std::min<std::size_t>(lines.size(), 4);
  for (std::size_t i = 0; i < count; ++i)
    bins.series.push_back(loss_at_levels(lines[count == 1 ? 0 : i * (lines.size() - 1) / (count - 1)]));
  page.begin_columns();
  page.plot({.title = "Training loss",
             .x_label = "images",
             .y_label = "loss (mean over elements)",
             .series = losses,
             .log_y = true});
  page.plot(bins);
  page.plot({.title = "Speed", .x_label = "images", .y_label = "images per second", .series = {rate}});
  page.plot({.title = "Noise levels of training",
             .x_label = "σ",
             .y_label = "density of ln σ",
             .series = {drawn},
             .log_x = true,
             .covers_x = span},
            "How often training drew each noise level: a loss where there is hardly any density counts little.");
  page.end_columns();
}

void add_schedule(Page& page, const Experiment& experiment) {
  const NoiseSchedule& schedule = *experiment.sampling.schedule;
  page.section("Noise", experiment.sampling.name);
  const Interval times = schedule.times();
  Series sigma{.label = "σ(t)"}, scale{.label = "s(t)"}, nodes{.label = "grid", .points = true};
  Series skip{.label = "c_skip"}, out{.label = "c_out"}, in{.label = "c_in"}, noise{.label = "c_noise"};
  const double high = schedule.sigma(experiment.sampling.grid.t.front()),
               low = schedule.sigma(experiment.sampling.grid.t.back());
  constexpr int kPoints = 120;
  for (int i = 0; i <= kPoints; ++i) {
    const double t = schedule.time(low * std::pow(high / low, static_cast<double>(i) / kPoints));
    if (!times.contains(t)) continue;
    sigma.x.push_back(t), sigma.y.push_back(schedule.sigma(t));
    scale.x.push_back(t), scale.y.push_back(schedule.scale(t));
    const EdmCoefficients c = experiment.model.preconditioning().edm(at::full({1}, schedule.sigma(t), at::kDouble));
    for (auto [series, value] : {std::pair{&skip, c.skip}, {&out, c.out}, {&in, c.in}, {&noise, c.noise}}) {
      series->x.push_back(schedule.sigma(t));
      series->y.push_back(value.item<double>());
    }
  }
  for (const double t : experiment.sampling.grid.t) nodes.x.push_back(t), nodes.y.push_back(schedule.sigma(t));
  page.begin_columns();
  page.plot({.title = "Noise level", .x_label = "t", .y_label = "σ", .series = {sigma, nodes}, .log_y = true});
  page.plot({.title = "Scale of the signal", .x_label = "t", .y_label = "s", .series = {scale}});
  page.plot({.title = "Preconditioning: D = c_skip·z + c_out·F(c_in·z)",
             .x_label = "σ",
             .y_label = "",
             .series = {skip, out, in},
             .log_x = true});
  page.plot({.title = "What the network is told of σ",
             .x_label = "σ",
             .y_label = "c_noise",
             .series = {noise},
             .log_x = true});
  page.end_columns();
}

void add_curvature(Page& page, const RunFolder& run) {
  const json found(read_curvature(run));
  if (!found.contains("grids")) return;
  page.section("Curvature",
               "Where steps are too long: how far the ODE's solution bends away from each step of a grid.");
  Plot plot{.title = "Local error of one Euler step from the solution",
            .x_label = "σ at the start of the step",
            .y_label = "RMS over images and values",
            .log_x = true,
            .log_y = true,
            .width = 1100,
            .height = 460};
  for (const auto& grid : found["grids"]) {
    if (!member(grid, "name").is_string()) continue;
    Series series{.label = grid["name"]};
    const json &sigma = member(grid, "sigma"), &error = member(grid, "error");
    for (std::size_t i = 0; i < std::min(sigma.size(), error.size()); ++i) {
      if (!sigma[i].is_number() || !error[i].is_number()) continue;
      series.x.push_back(sigma[i]);
      series.y.push_back(error[i]);
    }
    plot.series.push_back(std::move(series));
  }
  page.plot(plot,
            format("About h²/2 · |d²z/dσ²|, in units of the images' values in [-1, 1]; {} images, as many steps on "
                   "every clock. Noise is left in z: an early error shrinks on the way to σ = 0, a late one stays. "
                   "A step that stands out wants a denser grid there; `edmund optimize-grid` searches for one.",
                   found.value("images", 0)));
}

}  // namespace edmund
