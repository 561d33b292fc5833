#include "edmund/studies/comparison_files.h"

#include "edmund/core/error.h"
#include "edmund/core/parsed_json.h"
#include "edmund/io/csv.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

using nlohmann::ordered_json;

template <typename Value>
void put(ordered_json& out, const char* key, const std::optional<Value>& value) {
  if (value) out[key] = *value;
}

double number(const ordered_json& json) { return json.is_null() ? NAN : json.get<double>(); }

std::optional<double> optional_number(const ordered_json& from, const char* key) {
  return from.contains(key) ? std::optional(number(from[key])) : std::nullopt;
}

Measured measured_from(const ordered_json& from) {
  return {.value = number(from.at("value")),
          .error = optional_number(from, "error"),
          .low = optional_number(from, "low"),
          .high = optional_number(from, "high"),
          .bias = optional_number(from, "bias")};
}

std::optional<Measured> optional_measured(const ordered_json& from, const char* key) {
  return from.contains(key) ? std::optional(measured_from(from[key])) : std::nullopt;
}

CellScore score_from(const std::string& metric, const ordered_json& from) {
  return {.metric = metric,
          .name = from.at("name"),
          .estimator = from.value("estimator", ""),
          .images = from.value("images", std::int64_t{0}),
          .real = from.value("real", std::int64_t{0}),
          .measured = measured_from(from),
          .floor = optional_number(from, "floor"),
          .ceiling = optional_number(from, "ceiling"),
          .floor_images = from.value("floor_images", std::int64_t{0}),
          .floor_real = from.value("floor_real", std::int64_t{0}),
          .difference = optional_measured(from, "difference"),
          .influence = from.value("influence", std::vector<double>())};
}

CellResult cell_from(const ordered_json& from) {
  CellResult out{.model = from.at("model"),
                 .variant = from.at("variant"),
                 .budget = from.at("budget"),
                 .steps = from.at("steps"),
                 .nfe = from.at("nfe"),
                 .stochastic = from.at("stochastic"),
                 .images = from.at("images"),
                 .seconds = number(from.at("seconds")),
                 .distance = optional_measured(from, "distance"),
                 .sampling = from.value("sampling", ""),
                 .order = optional_number(from, "order")};
  if (from.contains("scores"))
    for (const auto& [metric, score] : from["scores"].items()) out.scores.push_back(score_from(metric, score));
  if (from.contains("pareto")) out.pareto = from["pareto"].get<bool>();
  return out;
}

// What `read` makes of the text.
template <typename Read>
auto parsed(const std::string& text, const std::string& place, const Read& read) {
  require(!nested_too_deep(text), "{}: damaged results; delete the file, and they are computed again (nested too deep)",
          place);
  try {
    return read(ordered_json::parse(text));
  } catch (const ordered_json::exception& error) {
    fail("{}: damaged results; delete the file, and they are computed again ({})", place, error.what());
  }
}

ordered_json json_of(const ModelFacts& model) {
  ordered_json out = {
      {"name", model.name},       {"checkpoint", model.checkpoint}, {"trained_images", model.trained_images},
      {"weights", model.weights}, {"features", model.features},     {"features_from", model.features_from}};
  out["ema"] = model.kind;
  if (!model.baseline.empty()) out["baseline"] = model.baseline;
  return out;
}

// A line of results.csv.
std::string csv_of(const CellResult& cell, const std::string& metric, const Measured& measured,
                   const std::optional<Measured>& less, std::optional<double> order) {
  const auto count = [](std::int64_t value) { return csv_number(static_cast<double>(value)); };
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  const Measured unknown{.value = NAN};
  const Measured& difference = less ? *less : unknown;
  return csv_line({csv_text(cell.model), csv_text(cell.variant), count(cell.budget), count(cell.steps), count(cell.nfe),
                   flag(cell.stochastic), count(cell.images), csv_number(cell.seconds), csv_text(metric),
                   csv_number(measured.value), csv_number(measured.error), csv_number(measured.low),
                   csv_number(measured.high), csv_number(difference.value), csv_number(difference.low),
                   csv_number(difference.high), flag(cell.pareto.value_or(false)), csv_number(order)});
}

}  // namespace

ordered_json json_of(const Measured& measured) {
  ordered_json out = {{"value", measured.value}};
  put(out, "error", measured.error);
  put(out, "low", measured.low);
  put(out, "high", measured.high);
  put(out, "bias", measured.bias);
  if (measured.bias) out["corrected"] = measured.value - *measured.bias;
  return out;
}

ordered_json json_of(const CellScore& score) {
  ordered_json out = json_of(score.measured);
  put(out, "floor", score.floor);
  put(out, "ceiling", score.ceiling);
  if (score.floor_images > 0) out["floor_images"] = score.floor_images;
  if (score.floor_real > 0) out["floor_real"] = score.floor_real;
  if (!score.influence.empty()) out["influence"] = score.influence;
  out["name"] = score.name;
  if (!score.estimator.empty()) out["estimator"] = score.estimator;
  if (score.images > 0) out["images"] = score.images;
  if (score.real > 0) out["real"] = score.real;
  if (score.difference) out["difference"] = json_of(*score.difference);
  return out;
}

ordered_json json_of(const CellResult& cell) {
  ordered_json out = {{"model", cell.model},   {"variant", cell.variant}, {"budget", cell.budget},
                      {"steps", cell.steps},   {"nfe", cell.nfe},         {"stochastic", cell.stochastic},
                      {"images", cell.images}, {"seconds", cell.seconds}};
  for (const CellScore& score : cell.scores) out["scores"][score.metric] = json_of(score);
  if (cell.distance) out["distance"] = json_of(*cell.distance);
  if (!cell.sampling.empty()) out["sampling"] = cell.sampling;
  put(out, "pareto", cell.pareto);
  put(out, "order", cell.order);
  return out;
}

ordered_json json_of(const ComparisonTable& table) {
  ordered_json out = {{"name", table.name},
                      {"images", table.images},
                      {"seed", table.seed},
                      {"level", table.level},
                      {"baseline", table.baseline},
                      {"real", table.real},
                      {"cells", ordered_json::array()}};
  for (const CellResult& cell : table.cells) out["cells"].push_back(json_of(cell));
  for (const ModelFacts& model : table.models) out["models"].push_back(json_of(model));
  return out;
}

Measured read_measured(const std::string& json, const std::string& place) { return parsed(json, place, measured_from); }

CellResult read_cell(const std::string& json, const std::string& place) { return parsed(json, place, cell_from); }

std::string csv_of(const ComparisonTable& table) {
  std::string out =
      "model,variant,budget,steps,nfe,stochastic,images,seconds,metric,value,error,low,high,difference,"
      "difference_low,difference_high,pareto,order\n";
  for (const CellResult& cell : table.cells) {
    for (const CellScore& score : cell.scores) out += csv_of(cell, score.metric, score.measured, score.difference, {});
    if (cell.distance) out += csv_of(cell, "distance", *cell.distance, {}, cell.order);
  }
  return out;
}

}  // namespace edmund
