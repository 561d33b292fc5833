#include "compare_loaded.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/bootstrap.h"
#include "edmund/evaluation/classifier.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/metrics.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/tensor_file.h"

#include <algorithm>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <cmath>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kResampled = "resampled";  // distances of the resamples: kept for differences, not shown

ordered_json as_json(const BootstrapInterval& interval) {
  return {{"value", interval.value - interval.bias},
          {"error", interval.error},
          {"low", interval.low},
          {"high", interval.high},
          {"of_the_sets", interval.value}};
}

// Not dominated: no other cell of the model has fewer evaluations and a lower distance.
void mark_pareto(ordered_json& cells) {
  for (auto& row : cells) {
    if (!row["scores"].contains("frechet")) continue;
    const double value = row["scores"]["frechet"]["value"];
    row["pareto"] = std::none_of(cells.begin(), cells.end(), [&](const ordered_json& other) {
      const double its = other["scores"]["frechet"]["value"];
      return other["model"] == row["model"] && other["nfe"] <= row["nfe"] && its <= value &&
             (other["nfe"] < row["nfe"] || its < value);
    });
  }
}

// Order of convergence from the budget before: -d ln distance / d ln NFE.
void add_orders(ordered_json& cells) {
  const ordered_json* before = nullptr;
  for (auto& row : cells) {
    if (!row.contains("distance")) continue;
    if (before && (*before)["model"] == row["model"] && (*before)["variant"] == row["variant"]) {
      const double distance = row["distance"]["value"], its = (*before)["distance"]["value"];
      const double nfe = row["nfe"], fewer = (*before)["nfe"];
      if (nfe > fewer && distance > 0 && its > 0) row["order"] = -std::log(distance / its) / std::log(nfe / fewer);
    }
    before = &row;
  }
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

// The metrics' values, by their names.
ordered_json Comparison::distances_of(const CompareCell& cell) {
  const Loaded& model = loaded(cell.model);
  const Tensor images = images_of(cell, plan_.images);
  const Tensor generated = model.features->extract(images).to(at::kDouble), &real = model.reference();
  const MetricNames called = metric_names(*model.features, generated.size(1));
  ordered_json out = ordered_json::object();
  for (const auto& metric : plan_.metrics) {
    if (metric == "frechet") {
      if (std::min(generated.size(0), real.size(0)) > 2 * generated.size(1)) {
        const Resampled found = model.resamples(bootstrap()).frechet(generated);
        out["frechet"] = as_json(found.interval(plan_.level));
        out["frechet"][kResampled] = std::vector<double>(found.values.const_data_ptr<double>(),
                                                         found.values.const_data_ptr<double>() + found.values.numel());
      } else {
        Moments a, b;
        a.add(generated), b.add(real);
        out["frechet"] = {{"value", frechet_distance(a, b)}};
      }
      out["frechet"]["name"] = called.frechet;
    } else if (metric == "kid") {
      out["kid"] = as_json(model.resamples(bootstrap()).kernel(generated).interval(plan_.level));
      out["kid"]["name"] = called.kernel;
    } else {
      const Reference reference(*model.features, model.real->images, plan_.seed, {.metrics = {metric}});
      for (const Score& score : reference.scores(images))
        out[score.name] = {{"value", score.value},
                           {"error", score.error},
                           {"floor", score.floor},
                           {"ceiling", score.ceiling},
                           {"name", score.name}};
    }
  }
  if (const Classifier* classifier = model.features->classifier()) {
    const Tensor labels = balanced_labels(model.trained.experiment.shape, consecutive(0, plan_.images));
    if (labels.defined()) {
      const Estimate agreement = classifier->accuracy(images, labels);
      out["agreement"] = {
          {"value", agreement.value}, {"error", agreement.error}, {"name", "Class agreement (classifier)"}};
    }
  }
  return out;
}

ordered_json Comparison::scored(const CompareCell& cell) {
  double seconds = 0;
  std::int64_t nfe = 0, draws = 0;
  for (std::int64_t begin = 0; begin < plan_.images; begin += plan_.block) {
    const auto facts = read_tensors(block_file(cell, begin)).metadata;
    seconds += parse_real(facts.at("seconds")).value_or(NAN);
    nfe = std::max(nfe, parse_integer(facts.at("nfe")).value_or(0));
    draws = parse_integer(facts.at("draws")).value_or(0);
  }
  ordered_json out = {{"model", plan_.models[cell.model].name},
                      {"variant", plan_.variants[cell.variant]},
                      {"budget", cell.nfe},
                      {"steps", cell.steps},
                      {"nfe", nfe},
                      {"stochastic", draws > 1},
                      {"images", plan_.images},
                      {"seconds", seconds}};
  if (const ordered_json distances = distances_of(cell); !distances.empty()) out["scores"] = distances;
  if (plan_.distance_images > 0 && draws <= 1) {
    const auto solution = std::find_if(cells_.begin(), cells_.end(), [&](const CompareCell& other) {
      return other.model == cell.model && other.variant == plan_.variants.size();
    });
    const Tensor each = (values_of(cell) - values_of(*solution)).square().flatten(1).mean(1).sqrt();
    out["distance"] = {{"value", each.mean().item<double>()},
                       {"error", each.std().item<double>() / std::sqrt(static_cast<double>(each.numel()))}};
  }
  return out;
}

// The cell's Fréchet distances as the scorer's features see them: kept with its own scores, if those are of the same set.
Resampled Comparison::resampled_of(const CompareCell& cell, const Loaded& scorer) {
  if (loaded(cell.model).real == scorer.real) {
    const ordered_json kept = ordered_json::parse(read_file(scores_file(cell)))["scores"]["frechet"];
    if (kept.contains(kResampled))
      return {.value = kept["of_the_sets"],
              .values = at::tensor(kept[kResampled].get<std::vector<double>>(), at::kDouble)};
  }
  return scorer.resamples(bootstrap()).frechet(scorer.features->extract(images_of(cell, plan_.images)));
}

// Of a cell's Fréchet distance to that of its baseline, null if there is none.
ordered_json Comparison::difference_of(const CompareCell& cell) {
  const std::string& own = plan_.models[cell.model].baseline;
  const auto base = std::find_if(cells_.begin(), cells_.end(), [&](const CompareCell& other) {
    if (other.nfe != cell.nfe) return false;
    if (!own.empty()) return plan_.models[other.model].name == own && other.variant == cell.variant;
    return plan_.baseline_is_model ? other.model == plan_.baseline && other.variant == cell.variant
                                   : other.model == cell.model && other.variant == plan_.baseline;
  });
  if (base == cells_.end() || base->key == cell.key || !fs::exists(scores_file(*base))) return nullptr;
  const fs::path file = folder(cell) / format("less-{}-{}.json", base->key, scoring(cell));
  if (!fs::exists(file)) {
    const Loaded& scorer = loaded(cell.model);
    const Resampled less = difference(resampled_of(cell, scorer), resampled_of(*base, scorer));
    write_file(file, as_json(less.interval(plan_.level)).dump(1) + "\n");
  }
  return ordered_json::parse(read_file(file));
}

void Comparison::run(std::int64_t shard, std::int64_t shards,
                     const std::function<void(const CompareCell&, const std::string&)>& told) {
  make_folder(out_ / "cells");
  // The solutions first, on every shard: cells are measured against them.
  for (const CompareCell& cell : cells_)
    if (cell.variant == plan_.variants.size()) draw(cell);
  std::int64_t index = 0;
  for (const CompareCell& cell : cells_) {
    if (cell.variant == plan_.variants.size() || index++ % shards != shard) continue;
    const fs::path file = scores_file(cell);
    const bool kept = fs::exists(file);
    if (!kept) {
      draw(cell);
      write_file(file, scored(cell).dump(1) + "\n");
    }
    told(cell, read_file(file));
  }
}

bool Comparison::complete() const {
  return std::all_of(cells_.begin(), cells_.end(), [&](const CompareCell& cell) {
    return cell.variant == plan_.variants.size() ? drawn(cell) : fs::exists(scores_file(cell));
  });
}

ordered_json Comparison::table() {
  ordered_json out = {{"name", plan_.name},   {"images", plan_.images},        {"seed", plan_.seed},
                      {"level", plan_.level}, {"resamples", plan_.resamples},  {"baseline", plan_.baseline_name()},
                      {"real", plan_.real},   {"cells", ordered_json::array()}};
  for (std::size_t m = 0; m < plan_.models.size(); ++m) {
    out["models"].push_back({{"name", plan_.models[m].name},
                             {"checkpoint", loaded(m).trained.checkpoint.string()},
                             {"trained_images", loaded(m).trained.images},
                             {"weights", loaded(m).weights},
                             {"features", loaded(m).features->name()},
                             {"features_from", loaded(m).features->provenance()}});
    if (const auto& own = plan_.models[m].baseline; !own.empty()) out["models"].back()["baseline"] = own;
    // What as many real images have against the others.
    const Tensor& real = loaded(m).reference();
    if (const std::int64_t others = real.size(0) - plan_.images; others > 1 && plan_.images > 1) {
      Moments a, b;
      const Tensor order = at::randperm(real.size(0), at::detail::createCPUGenerator(plan_.seed), at::kLong);
      a.add(real.index_select(0, order.narrow(0, 0, plan_.images)));
      b.add(real.index_select(0, order.narrow(0, plan_.images, others)));
      out["models"].back()["frechet_of_real_images"] = frechet_distance(a, b);
    }
  }
  for (const CompareCell& cell : cells_) {
    if (cell.variant == plan_.variants.size() || !fs::exists(scores_file(cell))) continue;
    ordered_json row = ordered_json::parse(read_file(scores_file(cell)));
    row["sampling"] = cell.sampling;
    if (row["scores"].contains("frechet") && row["scores"]["frechet"].contains("low")) {
      ordered_json& frechet = row["scores"]["frechet"];
      frechet.erase(kResampled);
      if (ordered_json less = difference_of(cell); !less.is_null()) frechet["difference"] = std::move(less);
    }
    out["cells"].push_back(std::move(row));
  }
  mark_pareto(out["cells"]);
  add_orders(out["cells"]);
  return out;
}

}  // namespace edmund
