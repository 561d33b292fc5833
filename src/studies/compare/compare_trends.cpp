// A comparison's metrics along a number that its cells differ in: the weight of guidance, the
// images trained on.

#include "compare_factors.h"
#include "compare_settings.h"
#include "edmund/core/format.h"
#include "edmund/core/text.h"
#include "edmund/report/html.h"

#include <map>
#include <set>
#include <utility>

namespace edmund {
namespace {

constexpr const char* kWeight = "guidance.weight";

// A cell that has a place along the number.
struct Placed {
  double at;
  CellResult cell;
};

// What tells curves apart, and their cells.
struct Group {
  std::map<std::string, std::string> told;
  std::vector<Placed> cells;
};

// Cells that agree in all but the weight of guidance: in model, budget and settings. With a budget
// the number of steps follows from the weight.
std::vector<Group> groups_by_guidance(const ComparisonTable& table) {
  std::vector<Group> out;
  for (const CellResult& cell : table.cells) {
    std::map<std::string, std::string> told = settings_of(cell);
    const auto weight = parse_real(told[kWeight]);
    told.erase(kWeight);
    if (cell.budget > 0) told.erase("grid.steps");
    told["model"] = cell.model;
    if (cell.budget > 0) told["budget"] = number_text(cell.budget);
    auto group = std::ranges::find(out, told, &Group::told);
    if (group == out.end()) group = out.insert(out.end(), {.told = told, .cells = {}});
    group->cells.push_back({weight.value_or(1.0), cell});
  }
  for (Group& group : out) std::ranges::stable_sort(group.cells, {}, &Placed::at);
  std::erase_if(out, [](const Group& group) { return group.cells.front().at == group.cells.back().at; });
  return out;
}

// In what the groups differ: "budget 20, sampler.type heun".
std::vector<std::string> labels_of(const std::vector<Group>& groups) {
  std::map<std::string, std::set<std::string>> values;
  std::set<std::string> keys;
  for (const Group& group : groups)
    for (const auto& [key, value] : group.told) keys.insert(key);
  for (const Group& group : groups)
    for (const auto& key : keys) values[key].insert(group.told.contains(key) ? group.told.at(key) : "-");
  std::vector<std::string> out;
  for (const Group& group : groups) {
    std::string label;
    for (const auto& [key, found] : values)
      if (found.size() > 1 && group.told.contains(key))
        label += format("{}{}{}", label.empty() ? "" : ", ", key == "model" ? "" : key + " ", group.told.at(key));
    out.push_back(label);
  }
  return out;
}

Series along(const Group& group, const std::string& metric) {
  Series out;
  for (const auto& [at, cell] : group.cells) {
    const CellScore* score = cell.score(metric);
    if (score == nullptr || !std::isfinite(score->measured.value)) continue;
    add_point(out, at, score->measured);
  }
  return out;
}

// The run that a checkpoint belongs to.
std::string run_of(const ModelFacts& model) {
  return model.checkpoint.substr(0, model.checkpoint.rfind("/checkpoints/"));
}

}  // namespace

void add_guidance(Page& page, const ComparisonTable& table, const std::vector<Curve>& curves) {
  const std::vector<Group> groups = groups_by_guidance(table);
  if (groups.empty()) return;
  const std::vector<std::string> labels = labels_of(groups);
  page.section("Guidance", "Each curve joins cells that differ in the weight of guidance alone; weight 1 is none.");
  page.begin_columns();
  for (const auto& metric : metrics_of(table.cells)) {
    const CellScore* score = nullptr;
    Plot plot{.x_label = "weight of guidance"};
    for (std::size_t i = 0; i < groups.size(); ++i) {
      Series series = along(groups[i], metric);
      if (series.x.empty()) continue;
      score = groups[i].cells.front().cell.score(metric);
      series.label = labels[i];
      // no variant's color: a curve joins several variants
      series.look = static_cast<std::int64_t>(curves.size() + i);
      plot.series.push_back(std::move(series));
    }
    if (score == nullptr) continue;
    plot.title = score->name + " against guidance";
    plot.y_label = score->name;
    page.plot(plot);
  }
  page.end_columns();
}

void add_training_lengths(Page& page, const ComparisonTable& table, const std::vector<Curve>& curves) {
  std::map<std::pair<std::string, std::string>, std::vector<std::pair<double, const Curve*>>> runs;
  for (const Curve& curve : curves) {
    const auto model = std::ranges::find(table.models, curve.model, &ModelFacts::name);
    runs[{run_of(*model), curve.variant}].emplace_back(static_cast<double>(model->trained_images), &curve);
  }
  std::vector<Series> all;
  std::string name;
  for (auto& [run, places] : runs) {
    std::ranges::stable_sort(places, {}, [](const auto& place) { return place.first; });
    if (places.front().first == places.back().first) continue;
    Series series{.label = format("{}, {}", run.first.substr(run.first.rfind('/') + 1), run.second),
                  .look = places.front().second->look};
    for (const auto& [images, curve] : places) {
      const std::vector<CellResult> cells = table.cells_of(curve->model, curve->variant);
      const CellScore* score = cells.back().score("frechet");
      if (score == nullptr) continue;
      name = score->name;
      add_point(series, images, score->measured);
    }
    all.push_back(std::move(series));
  }
  if (name.empty()) return;
  page.plot({.title = name + " against images trained on",
             .x_label = "images trained on",
             .y_label = name,
             .series = all,
             .log_y = true,
             .width = 900,
             .height = 420},
            "At the largest budget of each.");
}

}  // namespace edmund
