#include "compare_loaded.h"
#include "edmund/app/adapter.h"
#include "edmund/app/evaluation.h"
#include "edmund/app/guide.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/metrics.h"
#include "edmund/generation/guidance.h"
#include "edmund/io/tensor_file.h"
#include "edmund/networks/state_dict.h"
#include "edmund/studies/label.h"

#include <algorithm>
#include <utility>

namespace edmund {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kFewestSteps = 2, kMostSteps = 10000;  // that are tried for a budget

std::vector<ComparePlan::Model> read_models(Options& root) {
  std::vector<ComparePlan::Model> out;
  for (Options& model : root.children("models", "trained models, each with the same variants"))
    out.push_back({required_label(model, "of the model in tables and plots"),
                   model.required_path("run", "run folder or checkpoint").string(),
                   model.text("baseline", "", "model of this list that its differences are taken to"),
                   adapters_override(chosen_adapters(model)),
                   model.text("ema", "ema", "which weights: ema, raw, or the relative width of an average")});
  root.check(!out.empty(), "models", "expected a list of {name, run}, found none");
  for (const auto& model : out)
    root.check(model.baseline.empty() ||
                   std::any_of(out.begin(), out.end(), [&](const auto& other) { return other.name == model.baseline; }),
               "models", "no model of the name '{}', which is to be a baseline", model.baseline);
  return out;
}

std::vector<std::string> read_variants(Options& root) {
  std::vector<std::string> out;
  for (Options& variant : root.children("variants", "ways to sample, each with every model")) {
    out.push_back(required_label(variant, "of the variant in tables and plots"));
    variant.check(std::count(out.begin(), out.end(), out.back()) == 1, "name", "'{}' stands here twice", out.back());
  }
  root.check(!out.empty(), "variants", "expected a list of {name, sampling}, found none");
  return out;
}

void read_baseline(Options& root, ComparePlan& plan) {
  const std::string baseline = root.text(
      "baseline", "", "variant or model that differences are taken to, at the same budget; empty: the first variant");
  std::vector<std::string_view> all(plan.variants.begin(), plan.variants.end());
  for (const auto& model : plan.models) all.push_back(model.name);
  const auto found = std::find(all.begin(), all.end(), baseline);
  root.check(baseline.empty() || found != all.end(), "baseline", "no variant or model of the name '{}'{}", baseline,
             suggestion(baseline, all));
  if (found == all.end()) return;
  const auto index = static_cast<std::size_t>(found - all.begin());
  plan.baseline_is_model = index >= plan.variants.size();
  plan.baseline = plan.baseline_is_model ? index - plan.variants.size() : index;
}

Options sampling_of(Options& variant) {
  return variant.child("sampling", "keys of a config's `sampling` that differ from the run's, or a preset");
}

// What stands in a mapping, as YAML.
std::string text_of(Options mapping) {
  for (const auto& key : mapping.keys()) mapping.defer(key);
  return mapping.resolved();
}

// The last of 1 … most for which `fits` holds, 0 if none: it holds up to some number.
template <typename Fits>
std::int64_t last_that_fits(std::int64_t most, const Fits& fits) {
  std::int64_t last = 0;
  while (last < most) {
    const std::int64_t middle = last + (most - last + 1) / 2;
    if (fits(middle))
      last = middle;
    else
      most = middle - 1;
  }
  return last;
}

}  // namespace

ComparePlan read_comparison(Options& root, std::vector<ComparePlan::Model> models) {
  ComparePlan plan{
      .name = root.text("name", "compare", "title of the report; results go to runs/NAME"),
      .nfe = root.integers("nfe", {}, between(1, 1e6),
                           "budgets of network evaluations; empty: each variant takes the steps it states"),
      .images = root.integer("images", 1000, between(2, 1e7),
                             "images that each variant draws, with the same noise and classes"),
      .block = root.integer("block", 250, between(1, 1e6), "images between two saves"),
      .real =
          root.integer("real", 10000, between(4, 1e7), "real images that are compared with, at most, chosen by seed"),
      .seed = static_cast<std::uint64_t>(root.integer("seed", 0, at_least(0), "of the noise")),
      .level = root.real("level", 0.95, inside(0, 1), "probability that an interval covers"),
      .metrics = root.texts("metrics", {"frechet", "kid"}, "scores, as edmund list metrics has them")};
  // of version 0.1.0; not asked for where it does not stand, so that no message names it
  if (const auto given = root.keys(); std::ranges::find(given, "resamples") != given.end()) {
    root.integer("resamples", 0, at_least(0), "no longer used: intervals are by the delta method");
    log::warn("{}: is no longer used and can be deleted: intervals are by the delta method", root.where("resamples"));
  }
  if (const std::string fault = name_fault(plan.name); !fault.empty()) root.reject("name", fault);
  for (const auto& metric : plan.metrics)
    if (const std::string fault = metric_fault(metric); !fault.empty()) root.reject("metrics", fault);
  Options distance = root.child("distance", "of samples from the exact solution of the ODE");
  plan.distance_images = std::min(
      distance.integer("images", 64, between(0, 1e6), "images that it is measured on; 0: not at all"), plan.images);
  plan.tolerance =
      distance.real("tolerance", 1e-5, inside(0, 1), "of the adaptive solver (rk45) that finds the solution");
  plan.models = models.empty() ? read_models(root) : std::move(models);
  plan.variants = read_variants(root);
  read_baseline(root, plan);
  return plan;
}

std::vector<OptionFacts> comparison_facts(Options root, std::vector<ComparePlan::Model> models) {
  const bool is_file = models.empty();  // not part of an ablation, which knows both
  read_comparison(root, std::move(models));
  if (is_file)
    for (const char* key : {"models", "variants"}) root.mark_needed(key);
  for (Options& variant : root.children("variants")) sampling_of(variant);
  return root.facts();
}

std::string sampling_text(const Experiment& experiment) {
  return Options(experiment.config.options).child("sampling").chosen();
}

Sampling variant_sampling(Options& sampling, std::int64_t steps, const Experiment& experiment, std::string_view own) {
  if (steps > 0) sampling.stand_on(format("{grid: {steps: {}}}", steps), "nfe");
  if (!sampling.has("preset")) sampling.stand_on(own, "sampling of " + experiment.config.name);
  Sampling out = make_sampling(sampling, experiment.model.preconditioning(), load_guide);
  check_guidance(sampling, out, experiment.shape, experiment.config.objective.label_dropout);
  return out;
}

void check_variants(Options& comparison, const ComparePlan& plan, const Experiment& experiment) {
  const std::string own = sampling_text(experiment);
  for (Options& variant : comparison.children("variants")) {
    Options sampling = sampling_of(variant);
    variant_sampling(sampling, plan.nfe.empty() ? 0 : kFewestSteps, experiment, own);
  }
}

Comparison::Comparison(const fs::path& file, const std::vector<std::string>& overrides, fs::path out)
    : out_(std::move(out)) {
  Options root = Options::read_file(file, overrides);
  plan_ = read_comparison(root);
  for (Options& variant : root.children("variants")) {
    Options sampling = variant.child("sampling");
    settle_paths(sampling);
    variants_.push_back(text_of(sampling));
  }
  root.finish();
  solution_ = format("{sampler: {type: rk45, rtol: {}, atol: {}, final: denoise}}", plan_.tolerance, plan_.tolerance);
  if (out_.empty()) out_ = fs::path("runs") / plan_.name;
  loaded_.resize(plan_.models.size());
  for (std::size_t m = 0; m < plan_.models.size(); ++m) {
    // for the places of mistakes in the variants, all at once
    Options again = Options::read_file(file, overrides);
    read_comparison(again);
    check_variants(again, plan_, loaded(m).trained.experiment);
    again.finish();
    add_cells(m);
  }
}

void Comparison::add_cells(std::size_t model) {
  const auto add = [&](CompareCell cell) {
    cell.model = model;
    sampling_of(cell, &cell.sampling);
    cell.key = checksum(format("1 {} {} {} {} {} {}", loaded(model).weights, cell.sampling, plan_.seed, plan_.images,
                               plan_.block, plan_.distance_images));
    cells_.push_back(std::move(cell));
  };
  if (plan_.distance_images > 0) add({.kind = CellKind::kSolution});
  for (std::size_t v = 0; v < plan_.variants.size(); ++v) {
    if (plan_.nfe.empty()) add({.variant = v});
    std::int64_t before = 0;
    std::string left_out;  // budgets that add nothing
    for (const std::int64_t nfe : plan_.nfe) {
      // The most steps within the budget: evaluations grow with the steps.
      const std::int64_t steps = last_that_fits(std::min(nfe + 1, kMostSteps), [&](std::int64_t some) {
        try {
          return evaluations_of(sampling_of({.model = model, .variant = v, .nfe = nfe, .steps = some})) <= nfe;
        } catch (const Error&) {
          if (some <= kFewestSteps) throw;
          return false;  // a table that has fewer levels
        }
      });
      if (steps <= before) {  // none fits, or no more than in the budget before
        left_out += format("{}{}", left_out.empty() ? "" : ", ", nfe);
        continue;
      }
      before = steps;
      add({.variant = v, .nfe = nfe, .steps = steps});
    }
    if (!left_out.empty())
      log::warn(
          "variant '{}' of {} is left out at the budgets [{}]: no number of steps fits, or none but that of a "
          "smaller budget",
          plan_.variants[v], plan_.models[model].name, left_out);
  }
}

Sampling Comparison::sampling_of(const CompareCell& cell, std::string* resolved) {
  Options sampling =
      cell.kind == CellKind::kSolution
          ? Options::read_text(solution_, "distance")
          : Options::read_text(variants_[cell.variant], format("variant '{}'", plan_.variants[cell.variant]));
  Sampling out =
      variant_sampling(sampling, cell.steps, loaded(cell.model).trained.experiment, loaded(cell.model).sampling);
  sampling.finish();
  if (resolved) *resolved = sampling.resolved();
  return out;
}

Comparison::Loaded& Comparison::loaded(std::size_t model) {
  auto& slot = loaded_[model];
  if (slot) return *slot;
  std::vector<std::string> overrides;
  if (const std::string& adapters = plan_.models[model].adapters; !adapters.empty()) overrides.push_back(adapters);
  slot = std::make_shared<Loaded>(
      Loaded{.trained = load_model(
                 plan_.models[model].run, overrides, Needs::kData,
                 weights_named(plan_.models[model].ema, format("models: {}: ema", plan_.models[model].name)))});
  const Experiment& experiment = slot->trained.experiment;
  Options root = experiment.config.options;
  slot->weights = checksum(tensor_bytes(state_dict(experiment.model.network()))) + identity_of(chosen_adapters(root));
  slot->features = evaluation_features(experiment, out_ / "features");
  slot->sampling = sampling_text(experiment);
  const std::string extractor = slot->features->fingerprint();
  slot->real = std::make_shared<RealSet>();
  if (!extractor.empty())
    slot->real->key =
        extractor + "\n" + text_of(Options::read_text(experiment.config.options.resolved(), "config").child("data"));
  for (const auto& other : loaded_)
    if (other && other != slot && !slot->real->key.empty() && other->real->key == slot->real->key)
      slot->real = other->real;
  return *slot;
}

}  // namespace edmund
