#include "compare_loaded.h"
#include "edmund/app/run.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/core/parsed_json.h"
#include "edmund/core/sealed_json.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/classifier.h"
#include "edmund/evaluation/drawn_distance.h"
#include "edmund/evaluation/estimate.h"
#include "edmund/evaluation/images_in_files.h"
#include "edmund/evaluation/real_features.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/tensor_file.h"
#include "edmund/studies/comparison_files.h"

#include <algorithm>
#include <ATen/Functions.h>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace edmund {
namespace {

namespace fs = std::filesystem;

// An interval about the value of the given level, where the error is known.
Measured with_interval(double value, std::optional<double> error, double level) {
  Measured out{.value = value, .error = error};
  if (const auto half = half_interval(error, level)) out.low = value - *half, out.high = value + *half;
  return out;
}

DrawnDistance drawn_distance(const CellScore& score) {
  return {.value = score.measured.value,
          .bias = score.measured.bias,
          .influence = score.influence.empty() ? Tensor() : at::tensor(score.influence, at::kDouble)};
}

}  // namespace

// Checksum of all that scores depend on beside the images.
std::string Comparison::scoring(const CompareCell& cell) const {
  std::string text = format("3 {} {} {}", loaded_[cell.model]->features->fingerprint(), plan_.real, plan_.level);
  for (const auto& metric : plan_.metrics) text += " " + metric;
  return checksum(text);
}

fs::path Comparison::scores_file(const CompareCell& cell) const {
  return folder(cell) / format("scores-{}.json", scoring(cell));
}

CellScore Comparison::cell_score(const Score& score) const {
  CellScore out{.metric = score.metric,
                .name = score.name,
                .estimator = score.estimator,
                .images = score.of.images,
                .real = score.of.real,
                .measured = with_interval(score.value, score.error, plan_.level),
                .floor = score.floor,
                .ceiling = score.ceiling,
                .floor_images = score.floor_of.images,
                .floor_real = score.floor_of.real};
  out.measured.bias = score.bias;
  if (score.influence.defined()) {
    const auto* influence = score.influence.const_data_ptr<double>();
    out.influence.assign(influence, influence + score.influence.numel());
  }
  return out;
}

// Of the cell's images, read block by block.
Tensor Comparison::features_of(const CompareCell& cell, const FeatureExtractor& features) const {
  const auto images =
      images_in_files("images", plan_.images, plan_.block, [&](std::int64_t first) { return block_file(cell, first); });
  return edmund::features_of(features, *images);
}

// Of the cell's images; undefined where the model is told none.
Tensor Comparison::labels_of(const CompareCell& cell) {
  return class_labels(loaded(cell.model).trained.experiment.shape, sampling_of(cell).classes,
                      consecutive(0, plan_.images));
}

// Where the features come with a classifier and the model is told classes.
std::optional<CellScore> Comparison::class_score(const CompareCell& cell, const Tensor& features) {
  const Loaded& model = loaded(cell.model);
  const Classifier* classifier = model.features->classifier();
  const Tensor labels = labels_of(cell);
  if (classifier == nullptr || !labels.defined()) return std::nullopt;
  const Estimate share = classifier->accuracy_by_features(features, labels);
  return CellScore{.metric = "agreement",
                   .name = "Class agreement (classifier)",
                   .estimator = "share of the images whose class is named as asked",
                   .images = plan_.images,
                   .measured = {.value = share.value, .error = share.error}};
}

std::vector<CellScore> Comparison::scores_of(const CompareCell& cell) {
  const Loaded& model = loaded(cell.model);
  const Tensor features = features_of(cell, *model.features);
  std::vector<CellScore> out;
  for (const Score& score : model.reference(plan_, out_ / "features").scores_of(features, labels_of(cell)))
    out.push_back(cell_score(score));
  if (auto agreement = class_score(cell, features)) out.push_back(std::move(*agreement));
  return out;
}

// From the solution of the ODE, image by image.
Measured Comparison::distance_of(const CompareCell& cell) const {
  const auto solution = std::ranges::find_if(
      cells_, [&](const CompareCell& other) { return other.model == cell.model && other.kind == CellKind::kSolution; });
  const Tensor each = (values_of(cell) - values_of(*solution)).square().flatten(1).mean(1).sqrt();
  const bool several = each.numel() > 1;
  return with_interval(each.mean().item<double>(), several ? std::optional(mean_estimate(each).error) : std::nullopt,
                       plan_.level);
}

CellResult Comparison::scored(const CompareCell& cell) {
  CellResult out{.images = plan_.images};
  name(out, cell);
  for (std::int64_t begin = 0; begin < plan_.images; begin += plan_.block) {
    const auto facts = read_tensors(block_file(cell, begin)).metadata;
    out.seconds += parse_real(facts.at("seconds")).value_or(NAN);
    out.nfe = std::max(out.nfe, parse_integer(facts.at("nfe")).value_or(0));
    out.stochastic = parse_integer(facts.at("draws")).value_or(0) > 1;
  }
  out.scores = scores_of(cell);
  if (plan_.distance_images > 0 && !out.stochastic) out.distance = distance_of(cell);
  return out;
}

// What the plan calls the cell. Kept results are those of a key: of the same images, whatever they
// are called now.
void Comparison::name(CellResult& result, const CompareCell& cell) const {
  result.model = plan_.models[cell.model].name;
  result.variant = plan_.variants[cell.variant];
  result.budget = cell.nfe;
  result.steps = cell.steps;
}

std::optional<CellResult> Comparison::whole(const CompareCell& cell) const {
  const fs::path file = scores_file(cell);
  if (!fs::exists(file)) return std::nullopt;
  const std::string text = read_file(file);
  if (!is_whole(parsed_json<nlohmann::ordered_json>(text))) {
    log::warn("{}: damaged; the cell is scored again", file);
    return std::nullopt;
  }
  CellResult out = read_cell(text, file.string());
  name(out, cell);
  return out;
}

CellResult Comparison::kept(const CompareCell& cell) const {
  std::optional<CellResult> out = whole(cell);
  require(out.has_value(), "{}: damaged; start the comparison again: what is whole is kept", scores_file(cell));
  return *std::move(out);
}

// Scores of the cell's images as another model's features see them.
std::vector<CellScore> Comparison::scores_by(const Loaded& scorer, const CompareCell& cell) {
  if (loaded(cell.model).real == scorer.real) return kept(cell).scores;
  const Tensor features = features_of(cell, *scorer.features);
  std::vector<CellScore> out;
  for (const Score& score : scorer.reference(plan_, out_ / "features").scores_of(features, labels_of(cell)))
    out.push_back(cell_score(score));
  return out;
}

// The cell that differences of this one are taken to, null if there is none.
const CompareCell* Comparison::baseline_of(const CompareCell& cell) const {
  const std::string& own = plan_.models[cell.model].baseline;
  const auto base = std::ranges::find_if(cells_, [&](const CompareCell& other) {
    if (other.kind != cell.kind || other.nfe != cell.nfe) return false;
    if (!own.empty()) return plan_.models[other.model].name == own && other.variant == cell.variant;
    return plan_.baseline_is_model ? other.model == plan_.baseline && other.variant == cell.variant
                                   : other.model == cell.model && other.variant == plan_.baseline;
  });
  return base == cells_.end() || base->key == cell.key ? nullptr : &*base;
}

// Adds to each score, where each image's part in it is known, the difference to the baseline's, if
// that is scored.
void Comparison::add_differences(const CompareCell& cell, std::vector<CellScore>& scores) {
  const CompareCell* base = baseline_of(cell);
  if (base == nullptr || !fs::exists(scores_file(*base))) return;
  const std::vector<CellScore> others = scores_by(loaded(cell.model), *base);
  for (CellScore& score : scores) {
    const auto other = std::ranges::find(others, score.metric, &CellScore::metric);
    if (other == others.end() || score.influence.empty()) continue;
    const DrawnDistance a = drawn_distance(score), b = drawn_distance(*other);
    score.difference = with_interval(a.value - b.value, paired_error(a, b), plan_.level);
    if (a.bias && b.bias) score.difference->bias = *a.bias - *b.bias;
  }
}

void Comparison::run(std::int64_t shard, std::int64_t shards, const std::function<void(const CellResult&)>& done) {
  make_folder(out_ / "cells");
  // The solutions first, on every shard: cells are measured against them.
  for (const CompareCell& cell : cells_)
    if (cell.kind == CellKind::kSolution) draw(cell);
  std::int64_t index = 0;
  for (const CompareCell& cell : cells_) {
    if (cell.kind == CellKind::kSolution || index++ % shards != shard) continue;
    if (whole(cell)) {
      mend(cell);
    } else {
      draw(cell);
      StopRequest::check();
      write_file(scores_file(cell), json_text(sealed(json_of(scored(cell))), 1) + "\n");
    }
    done(kept(cell));
  }
}

bool Comparison::complete() const {
  return std::ranges::all_of(cells_, [&](const CompareCell& cell) {
    return cell.kind == CellKind::kSolution ? drawn(cell) : fs::exists(scores_file(cell));
  });
}

ModelFacts Comparison::facts_of(std::size_t index) {
  const Loaded& model = loaded(index);
  ModelFacts out{.name = plan_.models[index].name,
                 .checkpoint = model.trained.checkpoint.string(),
                 .trained_images = model.trained.images,
                 .weights = model.weights,
                 .features = model.features->name(),
                 .features_from = model.features->provenance(),
                 .kind = weights_named(plan_.models[index].ema, "ema").name(),
                 .baseline = plan_.models[index].baseline};
  if (const std::string& adapters = plan_.models[index].adapters; !adapters.empty()) out.kind += ", " + adapters;
  return out;
}

ComparisonTable Comparison::table() {
  ComparisonTable out{.name = plan_.name,
                      .images = plan_.images,
                      .seed = plan_.seed,
                      .level = plan_.level,
                      .baseline = plan_.baseline_name(),
                      .real = plan_.real};
  for (std::size_t m = 0; m < plan_.models.size(); ++m) out.models.push_back(facts_of(m));
  for (const CompareCell& cell : cells_) {
    if (cell.kind == CellKind::kSolution || !fs::exists(scores_file(cell))) continue;
    CellResult row = kept(cell);
    row.sampling = cell.sampling;
    add_differences(cell, row.scores);
    for (CellScore& score : row.scores) score.influence.clear();
    out.cells.push_back(std::move(row));
  }
  mark_pareto(out.cells);
  add_orders(out.cells);
  return out;
}

}  // namespace edmund
