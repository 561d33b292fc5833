#include "compare_loaded.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/bootstrap.h"
#include "edmund/evaluation/classifier.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/metrics.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/tensor_file.h"
#include "edmund/studies/comparison_files.h"

#include <algorithm>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <cmath>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

namespace fs = std::filesystem;

Measured measured(const BootstrapInterval& interval) {
  return {.value = interval.value - interval.bias,
          .error = interval.error,
          .low = interval.low,
          .high = interval.high,
          .of_the_sets = interval.value};
}

}  // namespace

// Checksum of all that scores depend on beside the images.
std::string Comparison::scoring(const CompareCell& cell) const {
  std::string text =
      format("{} {} {} {}", loaded_[cell.model]->features->fingerprint(), plan_.real, plan_.resamples, plan_.level);
  for (const auto& metric : plan_.metrics) text += " " + metric;
  return checksum(text);
}

fs::path Comparison::scores_file(const CompareCell& cell) const {
  return folder(cell) / format("scores-{}.json", scoring(cell));
}

BootstrapSettings Comparison::bootstrap() const {
  return {.resamples = plan_.resamples, .level = plan_.level, .seed = plan_.seed};
}

CellScore Comparison::frechet_score(const Loaded& model, const Tensor& generated) const {
  const Tensor& real = model.reference();
  CellScore out{.metric = "frechet", .name = metric_names(*model.features, generated.size(1)).frechet};
  if (std::min(generated.size(0), real.size(0)) > 2 * generated.size(1)) {
    const Resampled found = model.resamples(bootstrap()).frechet(generated);
    const auto* values = found.values.const_data_ptr<double>();
    out.measured = measured(found.interval(plan_.level));
    out.resampled.assign(values, values + found.values.numel());
  } else {
    Moments a, b;
    a.add(generated), b.add(real);
    out.measured = {.value = frechet_distance(a, b)};
  }
  return out;
}

CellScore Comparison::kernel_score(const Loaded& model, const Tensor& generated) const {
  return {.metric = "kid",
          .name = metric_names(*model.features, generated.size(1)).kernel,
          .measured = measured(model.resamples(bootstrap()).kernel(generated).interval(plan_.level))};
}

// Where the features come with a classifier and the model is told classes.
std::optional<CellScore> Comparison::class_score(const Loaded& model, const Tensor& images) const {
  const Classifier* classifier = model.features->classifier();
  if (classifier == nullptr) return std::nullopt;
  const Tensor labels = balanced_labels(model.trained.experiment.shape, consecutive(0, plan_.images));
  if (!labels.defined()) return std::nullopt;
  const Estimate share = classifier->accuracy(images, labels);
  return CellScore{.metric = "agreement",
                   .name = "Class agreement (classifier)",
                   .measured = {.value = share.value, .error = share.error}};
}

std::vector<CellScore> Comparison::scores_of(const CompareCell& cell) {
  const Loaded& model = loaded(cell.model);
  const Tensor images = images_of(cell, plan_.images);
  const Tensor generated = model.features->extract(images).to(at::kDouble);
  std::vector<CellScore> out;
  for (const auto& metric : plan_.metrics) {
    if (metric == "frechet") {
      out.push_back(frechet_score(model, generated));
    } else if (metric == "kid") {
      out.push_back(kernel_score(model, generated));
    } else {
      const Reference reference(*model.features, model.real->images, plan_.seed, {.metrics = {metric}});
      for (const Score& score : reference.scores(images))
        out.push_back({.metric = score.name,
                       .name = score.name,
                       .measured = {.value = score.value, .error = score.error},
                       .floor = score.floor,
                       .ceiling = score.ceiling});
    }
  }
  if (auto agreement = class_score(model, images)) out.push_back(std::move(*agreement));
  return out;
}

// From the solution of the ODE, image by image.
Measured Comparison::distance_of(const CompareCell& cell) const {
  const auto solution = std::ranges::find_if(
      cells_, [&](const CompareCell& other) { return other.model == cell.model && other.kind == CellKind::kSolution; });
  const Tensor each = (values_of(cell) - values_of(*solution)).square().flatten(1).mean(1).sqrt();
  return {.value = each.mean().item<double>(),
          .error = each.std().item<double>() / std::sqrt(static_cast<double>(each.numel()))};
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

CellResult Comparison::kept(const CompareCell& cell) const {
  const fs::path file = scores_file(cell);
  CellResult out = read_cell(read_file(file), file.string());
  name(out, cell);
  return out;
}

// The cell's Fréchet distances as the scorer's features see them: kept with its own scores, if
// those are of the same set.
Resampled Comparison::resampled_of(const CompareCell& cell, const Loaded& scorer) {
  if (loaded(cell.model).real == scorer.real) {
    const CellResult own = kept(cell);
    if (const CellScore* score = own.score("frechet"); score != nullptr && !score->resampled.empty())
      return {.value = score->measured.of_the_sets.value(), .values = at::tensor(score->resampled, at::kDouble)};
  }
  return scorer.resamples(bootstrap()).frechet(scorer.features->extract(images_of(cell, plan_.images)));
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

// Of a cell's Fréchet distance to that of its baseline, if both are scored.
std::optional<Measured> Comparison::difference_of(const CompareCell& cell) {
  const CompareCell* base = baseline_of(cell);
  if (base == nullptr || !fs::exists(scores_file(*base))) return std::nullopt;
  const fs::path file = folder(cell) / format("less-{}-{}.json", base->key, scoring(cell));
  if (!fs::exists(file)) {
    const Loaded& scorer = loaded(cell.model);
    const Resampled less = difference(resampled_of(cell, scorer), resampled_of(*base, scorer));
    write_file(file, json_text(json_of(measured(less.interval(plan_.level))), 1) + "\n");
  }
  return read_measured(read_file(file), file.string());
}

void Comparison::run(std::int64_t shard, std::int64_t shards, const std::function<void(const CellResult&)>& done) {
  make_folder(out_ / "cells");
  // The solutions first, on every shard: cells are measured against them.
  for (const CompareCell& cell : cells_)
    if (cell.kind == CellKind::kSolution) draw(cell);
  std::int64_t index = 0;
  for (const CompareCell& cell : cells_) {
    if (cell.kind == CellKind::kSolution || index++ % shards != shard) continue;
    if (const fs::path file = scores_file(cell); !fs::exists(file)) {
      draw(cell);
      StopRequest::check();
      write_file(file, json_text(json_of(scored(cell)), 1) + "\n");
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
                 .baseline = plan_.models[index].baseline};
  const Tensor& real = model.reference();
  if (const std::int64_t others = real.size(0) - plan_.images; others > 1 && plan_.images > 1) {
    Moments a, b;
    const Tensor order = at::randperm(real.size(0), at::detail::createCPUGenerator(plan_.seed), at::kLong);
    a.add(real.index_select(0, order.narrow(0, 0, plan_.images)));
    b.add(real.index_select(0, order.narrow(0, plan_.images, others)));
    out.frechet_of_real_images = frechet_distance(a, b);
  }
  return out;
}

ComparisonTable Comparison::table() {
  ComparisonTable out{.name = plan_.name,
                      .images = plan_.images,
                      .seed = plan_.seed,
                      .level = plan_.level,
                      .resamples = plan_.resamples,
                      .baseline = plan_.baseline_name(),
                      .real = plan_.real};
  for (std::size_t m = 0; m < plan_.models.size(); ++m) out.models.push_back(facts_of(m));
  for (const CompareCell& cell : cells_) {
    if (cell.kind == CellKind::kSolution || !fs::exists(scores_file(cell))) continue;
    CellResult row = kept(cell);
    row.sampling = cell.sampling;
    for (CellScore& score : row.scores) {
      if (score.resampled.empty()) continue;
      score.resampled.clear();
      score.difference = difference_of(cell);
    }
    out.cells.push_back(std::move(row));
  }
  mark_pareto(out.cells);
  add_orders(out.cells);
  return out;
}

}  // namespace edmund
