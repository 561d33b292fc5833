#include "compare_loaded.h"
#include "edmund/app/evaluation.h"
#include "edmund/app/generate.h"
#include "edmund/app/guide.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/metrics.h"
#include "edmund/ops/tensor_file.h"

#include <algorithm>
#include <ATen/ops/equal.h>
#include <utility>

namespace edmund {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kFewestSteps = 2, kMostSteps = 10000;  // that are tried for a budget

ComparePlan read_plan(Options& root) {
  ComparePlan plan{.name = root.text("name", "compare"),
                   .nfe = root.integers("nfe", {}, between(1, 1e6)),
                   .images = root.integer("images", 1000, between(2, 1e7)),
                   .block = root.integer("block", 250, between(1, 1e6)),
                   .real = root.integer("real", 10000, between(4, 1e7)),
                   .resamples = root.integer("resamples", 200, between(2, 1e6)),
                   .seed = static_cast<std::uint64_t>(root.integer("seed", 0, at_least(0))),
                   .level = root.real("level", 0.95, inside(0, 1)),
                   .metrics = root.texts("metrics", {"frechet", "kid"})};
  root.check(!plan.name.empty() && plan.name.find('/') == std::string::npos, "name",
             "expected a name without '/', found '{}'", plan.name);
  const auto known = names(metric_table());
  for (const auto& metric : plan.metrics)
    root.check(std::find(known.begin(), known.end(), metric) != known.end(), "metrics", "unknown metric '{}'{}", metric,
               suggestion(metric, known));
  Options distance = root.child("distance");
  plan.distance_images = std::min(distance.integer("images", 64, between(0, 1e6)), plan.images);
  plan.tolerance = distance.real("tolerance", 1e-5, inside(0, 1));
  for (Options& model : root.children("models"))
    plan.models.push_back({model.required_text("name"), model.required_text("run")});
  root.check(!plan.models.empty(), "models", "expected a list of {name, run}, found none");
  for (Options& variant : root.children("variants")) {
    plan.variants.push_back(variant.required_text("name"));
    variant.check(std::count(plan.variants.begin(), plan.variants.end(), plan.variants.back()) == 1, "name",
                  "'{}' stands here twice", plan.variants.back());
  }
  root.check(!plan.variants.empty(), "variants", "expected a list of {name, sampling}, found none");
  if (const std::string baseline = root.text("baseline", ""); !baseline.empty()) {
    std::vector<std::string_view> all(plan.variants.begin(), plan.variants.end());
    for (const auto& model : plan.models) all.push_back(model.name);
    const auto found = std::find(all.begin(), all.end(), baseline);
    root.check(found != all.end(), "baseline", "no variant or model of the name '{}'{}", baseline,
               suggestion(baseline, all));
    const auto index = static_cast<std::size_t>(found - all.begin());
    plan.baseline_is_model = found != all.end() && index >= plan.variants.size();
    plan.baseline = found == all.end() ? 0 : plan.baseline_is_model ? index - plan.variants.size() : index;
  }
  return plan;
}

// Network evaluations that one image takes, without the network.
std::int64_t evaluations(const Sampling& sampling) {
  const auto count = std::make_shared<std::int64_t>(0);
  const Denoiser D = counted([](const Tensor& z, double sigma) { return z / (1 + sigma * sigma); }, count);
  PhiloxNoise noise(0, {0}, at::kDouble, at::kCPU);
  const Tensor x = initial_state(*sampling.path, sampling.grid, noise, {1, 1, 1});
  sampling.sampler(D, *sampling.path, sampling.grid, x, noise);
  return *count * (sampling.guidance != 1.0 ? 2 : 1);
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
  for (std::int64_t low = 1, high = most; low <= high;) {
    const std::int64_t middle = (low + high) / 2;
    if (fits(middle))
      last = middle, low = middle + 1;
    else
      high = middle - 1;
  }
  return last;
}

}  // namespace

Comparison::Comparison(const fs::path& file, const std::vector<std::string>& overrides, fs::path out)
    : out_(std::move(out)) {
  Options root = Options::read_file(file, overrides);
  plan_ = read_plan(root);
  for (Options& variant : root.children("variants")) {
    variant.defer("sampling");
    variants_.push_back(text_of(Options(variant).child("sampling")));
  }
  root.finish();
  variants_.push_back(
      format("{sampler: {type: rk45, rtol: {}, atol: {}, final: denoise}}", plan_.tolerance, plan_.tolerance));
  if (out_.empty()) out_ = fs::path("runs") / plan_.name;
  loaded_.resize(plan_.models.size());
  for (std::size_t m = 0; m < plan_.models.size(); ++m) {
    check_variants(Options::read_file(file, overrides), m);
    add_cells(m);
  }
}

// Mistakes of the variants with their places in the file, all at once.
void Comparison::check_variants(Options root, std::size_t model) {
  read_plan(root);
  auto variants = root.children("variants");
  for (std::size_t v = 0; v < variants.size(); ++v) {
    Options sampling = variants[v].child("sampling");
    laid_over(sampling, {.model = model, .variant = v, .steps = plan_.nfe.empty() ? 0 : kFewestSteps});
  }
  root.finish();
}

void Comparison::add_cells(std::size_t model) {
  const auto add = [&](CompareCell cell) {
    cell.model = model;
    sampling_of(cell, &cell.sampling);
    cell.key = checksum(format("1 {} {} {} {} {} {}", loaded(model).weights, cell.sampling, plan_.seed, plan_.images,
                               plan_.block, plan_.distance_images));
    cells_.push_back(std::move(cell));
  };
  if (plan_.distance_images > 0) add({.variant = plan_.variants.size()});
  for (std::size_t v = 0; v < plan_.variants.size(); ++v) {
    if (plan_.nfe.empty()) add({.variant = v});
    std::int64_t before = 0;
    for (const std::int64_t nfe : plan_.nfe) {
      // The most steps within the budget: evaluations grow with the steps.
      const std::int64_t steps = last_that_fits(std::min(nfe + 1, kMostSteps), [&](std::int64_t some) {
        try {
          return evaluations(sampling_of({.model = model, .variant = v, .nfe = nfe, .steps = some})) <= nfe;
        } catch (const Error&) {
          if (some <= kFewestSteps) throw;
          return false;  // a table that has fewer levels
        }
      });
      if (steps <= before) continue;  // none fits, or no more than in the budget before
      before = steps;
      add({.variant = v, .nfe = nfe, .steps = steps});
    }
  }
}

// The variant's `sampling:` over the run's.
Sampling Comparison::laid_over(Options& sampling, const CompareCell& cell) {
  const Loaded& model = loaded(cell.model);
  const Experiment& experiment = model.trained.experiment;
  if (cell.steps > 0) sampling.stand_on(format("{grid: {steps: {}}}", cell.steps), "nfe");
  if (!sampling.has("preset")) sampling.stand_on(model.sampling, "sampling of " + plan_.models[cell.model].run);
  Sampling out = make_sampling(sampling, experiment.model.preconditioning());
  check_guidance(sampling, out, experiment.shape, experiment.training.label_dropout);
  return out;
}

Sampling Comparison::sampling_of(const CompareCell& cell, std::string* resolved) {
  const bool solution = cell.variant == plan_.variants.size();
  Options sampling = Options::read_text(variants_[cell.variant],
                                        solution ? "distance" : format("variant '{}'", plan_.variants[cell.variant]));
  Sampling out = laid_over(sampling, cell);
  sampling.finish();
  if (resolved) *resolved = sampling.resolved();
  return out;
}

Comparison::Loaded& Comparison::loaded(std::size_t model) {
  auto& slot = loaded_[model];
  if (slot) return *slot;
  slot = std::make_shared<Loaded>(Loaded{.trained = load_model(plan_.models[model].run, {}, Needs::kData)});
  const Experiment& experiment = slot->trained.experiment;
  slot->weights = checksum(read_file(slot->trained.checkpoint / "ema.safetensors"));
  slot->features = evaluation_features(experiment, out_ / "features");
  slot->sampling =
      text_of(Options::read_text(experiment.options.resolved(), plan_.models[model].run).child("sampling"));
  slot->real = std::make_shared<RealSet>(RealSet{.fingerprint = slot->features->fingerprint(),
                                                 .images = read_all(*experiment.data, plan_.real, plan_.seed).images});
  for (const auto& other : loaded_)
    if (other && other != slot && !slot->real->fingerprint.empty() &&
        other->real->fingerprint == slot->real->fingerprint && at::equal(other->real->images, slot->real->images))
      slot->real = other->real;
  return *slot;
}

}  // namespace edmund
