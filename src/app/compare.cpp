#include "edmund/app/compare.h"

#include "edmund/app/generate.h"
#include "edmund/app/guide.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/data/image_io.h"
#include "edmund/evaluation/bootstrap.h"
#include "edmund/evaluation/classifier.h"
#include "edmund/evaluation/feature_cache.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/metrics.h"
#include "edmund/ops/device.h"
#include "edmund/ops/tensor_file.h"

#include <algorithm>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

namespace edmund {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::int64_t kMostSteps = 10000;

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

// Counts draws: the first is the starting noise.
class CountedNoise : public NoiseSource {
 public:
  explicit CountedNoise(std::unique_ptr<NoiseSource> source) : source_(std::move(source)) {}
  Tensor normal(at::IntArrayRef shape) override {
    ++draws_;
    return source_->normal(shape);
  }
  std::int64_t draws() const { return draws_; }

 private:
  std::unique_ptr<NoiseSource> source_;
  std::int64_t draws_ = 0;
};

std::unique_ptr<NoiseSource> noise_of(std::uint64_t seed, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return std::make_unique<PhiloxNoise>(seed, std::move(numbers), at::kDouble, ops::device());
}

// Network evaluations that one image takes, without the network.
std::int64_t evaluations(const Sampling& sampling) {
  const auto count = std::make_shared<std::int64_t>(0);
  const Denoiser D = counted([](const Tensor& z, double sigma) { return z / (1 + sigma * sigma); }, count);
  const auto noise = noise_of(0, 0, 1);
  const Tensor x = initial_state(*sampling.path, sampling.grid, *noise, {1, 1, 1});
  sampling.sampler(D, *sampling.path, sampling.grid, x, *noise);
  return *count * (sampling.guidance != 1.0 ? 2 : 1);
}

ordered_json as_json(const BootstrapInterval& interval) {
  return {{"value", interval.value - interval.bias},
          {"error", interval.error},
          {"low", interval.low},
          {"high", interval.high},
          {"of_the_sets", interval.value}};
}

std::string block_name(std::int64_t first) { return format("block-{}.safetensors", first); }

}  // namespace

// A model with what scores its images.
struct Comparison::Loaded {
  TrainedModel trained;
  std::string weights;  // checksum
  std::unique_ptr<FeatureExtractor> features;
  Batch real;
  Tensor real_features;
  std::unique_ptr<Dataset> held_out;

  const Tensor& reference() {
    if (!real_features.defined()) real_features = features->extract(real.images).to(at::kDouble);
    return real_features;
  }
};

Comparison::Comparison(const fs::path& file, std::vector<std::string> overrides, fs::path out)
    : file_(file), out_(std::move(out)), overrides_(std::move(overrides)) {
  Options root = Options::read_file(file_, overrides_);
  plan_ = read_plan(root);
  for (Options& variant : root.children("variants")) variant.defer("sampling");
  root.finish();
  if (out_.empty()) out_ = fs::path("runs") / plan_.name;
  loaded_.resize(plan_.models.size());
  for (std::size_t m = 0; m < plan_.models.size(); ++m) {
    loaded(m);
    const auto add = [&](CompareCell cell) {
      cell.model = m;
      std::string resolved;
      sampling_of(cell, &resolved);
      cell.sampling = resolved;
      cell.key = checksum(format("1 {} {} {} {} {} {}", loaded(m).weights, resolved, plan_.seed, plan_.images,
                                 plan_.block, plan_.distance_images));
      cells_.push_back(std::move(cell));
    };
    if (plan_.distance_images > 0) add({.variant = plan_.variants.size()});
    for (std::size_t v = 0; v < plan_.variants.size(); ++v) {
      if (plan_.nfe.empty()) add({.variant = v});
      std::int64_t before = 0;
      for (const std::int64_t nfe : plan_.nfe) {
        // The most steps within the budget: evaluations grow with the steps.
        const auto fits = [&](std::int64_t steps) {
          try {
            return evaluations(sampling_of({.model = m, .variant = v, .nfe = nfe, .steps = steps}, nullptr)) <= nfe;
          } catch (const Error&) {
            if (steps <= 2) throw;
            return false;  // a table that has fewer levels
          }
        };
        std::int64_t steps = 0;
        for (std::int64_t low = 1, high = std::min(nfe + 1, kMostSteps); low <= high;) {
          const std::int64_t middle = (low + high) / 2;
          if (fits(middle))
            steps = middle, low = middle + 1;
          else
            high = middle - 1;
        }
        if (steps <= before) continue;  // none fits, or no more than in the budget before
        before = steps;
        add({.variant = v, .nfe = nfe, .steps = steps});
      }
    }
  }
}

// The variant's `sampling:` over the run's.
Sampling Comparison::sampling_of(const CompareCell& cell, std::string* resolved) {
  const Experiment& experiment = loaded(cell.model).trained.experiment;
  Options config = Options::read_text(experiment.options.resolved(), plan_.models[cell.model].run);
  Options own = config.child("sampling");
  Options root = Options::read_file(file_, overrides_);
  read_plan(root);
  auto variants = root.children("variants");
  const bool solution = cell.variant == variants.size();
  Options solved = Options::read_text(
      format("{sampler: {type: rk45, rtol: {}, atol: {}, final: denoise}}", plan_.tolerance, plan_.tolerance),
      "distance");
  for (std::size_t v = 0; v < variants.size(); ++v)
    if (v != cell.variant) variants[v].defer("sampling");
  Options sampling = solution ? solved : variants[cell.variant].child("sampling");
  if (cell.steps > 0) sampling.stand_on(format("{grid: {steps: {}}}", cell.steps), "nfe");
  if (!sampling.has("preset")) {
    std::string text;  // the run's sampling as it was resolved
    for (const auto& key : own.keys()) own.defer(key);
    text = own.resolved();
    sampling.stand_on(text, "sampling of " + plan_.models[cell.model].run);
  }
  Sampling out = make_sampling(sampling, experiment.model.preconditioning());
  check_guidance(sampling, out, experiment.shape, experiment.training.label_dropout);
  solution ? solved.finish() : root.finish();
  if (resolved) *resolved = sampling.resolved();
  return out;
}

Comparison::Loaded& Comparison::loaded(std::size_t model) {
  auto& slot = loaded_[model];
  if (slot) return *slot;
  const auto& [name, run] = plan_.models[model];
  slot = std::make_shared<Loaded>(Loaded{.trained = load_model(run, {}, Needs::kData)});
  Experiment& experiment = slot->trained.experiment;
  slot->weights = checksum(read_file(slot->trained.checkpoint / "ema.safetensors"));
  Options evaluation = experiment.options.child("evaluation");
  if (evaluation.has("held_out")) {
    Options held_out = evaluation.child("held_out");
    slot->held_out = make_dataset(held_out);
  }
  Options features = evaluation.child("features");
  const fs::path cache = out_ / "features";
  slot->features = cached_features(make_features(features, {.labeled = *experiment.data,
                                                            .held_out = slot->held_out.get(),
                                                            .seed = experiment.evaluation_seed,
                                                            .cache = cache}),
                                   cache);
  experiment.options.finish();
  slot->real = read_all(*experiment.data, plan_.real, plan_.seed);
  return *slot;
}

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

void Comparison::draw(const CompareCell& cell) {
  const c10::InferenceMode inference;
  const bool solution = cell.variant == plan_.variants.size();
  const Sampling sampling = sampling_of(cell, nullptr);
  const Experiment& experiment = loaded(cell.model).trained.experiment;
  const ImageShape& image = experiment.shape.image;
  const std::int64_t total = solution ? plan_.distance_images : plan_.images;
  for (std::int64_t begin = 0; begin < total; begin += plan_.block) {
    const fs::path file = folder(cell) / block_name(begin);
    if (fs::exists(file)) continue;
    const std::int64_t end = std::min(begin + plan_.block, total);
    std::vector<Tensor> parts;
    std::int64_t nfe = 0, draws = 0;
    const auto began = std::chrono::steady_clock::now();
    for (std::int64_t first = begin; first < end; first += sampling.batch_size) {
      const std::int64_t size = std::min(sampling.batch_size, end - first);
      std::vector<std::int64_t> numbers(static_cast<std::size_t>(size));
      std::iota(numbers.begin(), numbers.end(), first);
      const auto count = std::make_shared<std::int64_t>(0);
      const Denoiser D = sampling_denoiser(experiment.model, sampling, experiment.shape,
                                           balanced_labels(experiment.shape, numbers), count);
      CountedNoise noise(noise_of(plan_.seed, first, size));
      const Tensor x = initial_state(*sampling.path, sampling.grid, noise, {image.channels, image.height, image.width});
      parts.push_back(sampling.sampler(D, *sampling.path, sampling.grid, x, noise));
      nfe = std::max(nfe, *count), draws = noise.draws();
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    const Tensor values = at::cat(parts);
    const std::int64_t exact = std::clamp<std::int64_t>(plan_.distance_images - begin, 0, values.size(0));
    write_file(file, tensor_bytes({{"images", to_uint8(values)}, {"values", values.narrow(0, 0, exact).to(at::kFloat)}},
                                  {{"nfe", std::to_string(nfe)},
                                   {"draws", std::to_string(draws)},
                                   {"seconds", number_text(seconds.count())}}));
  }
}

Tensor Comparison::images_of(const CompareCell& cell, std::int64_t count) const {
  std::vector<Tensor> parts;
  for (std::int64_t begin = 0, found = 0; found < count; begin += plan_.block) {
    const fs::path file = folder(cell) / block_name(begin);
    if (!fs::exists(file)) break;
    parts.push_back(read_tensors(file).at("images"));
    found += parts.back().size(0);
  }
  require(!parts.empty(), "{}: no images", folder(cell).string());
  const Tensor all = at::cat(parts);
  return all.narrow(0, 0, std::min(count, all.size(0)));
}

Tensor Comparison::values_of(const CompareCell& cell) const {
  std::vector<Tensor> parts;
  for (std::int64_t begin = 0; begin < plan_.distance_images; begin += plan_.block)
    parts.push_back(read_tensors(folder(cell) / block_name(begin)).at("values"));
  return at::cat(parts).to(at::kDouble);
}

ordered_json Comparison::scored(const CompareCell& cell) {
  Loaded& model = loaded(cell.model);
  const Tensor images = images_of(cell, plan_.images);
  double seconds = 0;
  std::int64_t nfe = 0, draws = 0;
  for (std::int64_t begin = 0; begin < plan_.images; begin += plan_.block) {
    const auto facts = read_tensors(folder(cell) / block_name(begin)).metadata;
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
  const Tensor generated = model.features->extract(images).to(at::kDouble), &real = model.reference();
  const BootstrapSettings bootstrap{.resamples = plan_.resamples, .level = plan_.level, .seed = plan_.seed};
  const MetricNames called = metric_names(*model.features, generated.size(1));
  for (const auto& metric : plan_.metrics) {
    if (metric == "frechet") {
      const bool enough = std::min(generated.size(0), real.size(0)) > 2 * generated.size(1);
      Moments a, b;
      a.add(generated), b.add(real);
      out["scores"]["frechet"] = enough ? as_json(frechet_interval(generated, real, bootstrap))
                                        : ordered_json{{"value", frechet_distance(a, b)}};
      out["scores"]["frechet"]["name"] = called.frechet;
    } else if (metric == "kid") {
      out["scores"]["kid"] = as_json(kernel_interval(generated, real, bootstrap));
      out["scores"]["kid"]["name"] = called.kernel;
    } else {
      const Reference reference(*model.features, model.real.images, plan_.seed, {.metrics = {metric}});
      for (const Score& score : reference.scores(images))
        out["scores"][score.name] = {{"value", score.value},
                                     {"error", score.error},
                                     {"floor", score.floor},
                                     {"ceiling", score.ceiling},
                                     {"name", score.name}};
    }
  }
  if (const Classifier* classifier = model.features->classifier()) {
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(plan_.images));
    std::iota(numbers.begin(), numbers.end(), 0);
    if (const Tensor labels = balanced_labels(model.trained.experiment.shape, numbers); labels.defined()) {
      const Estimate agreement = classifier->accuracy(images, labels);
      out["scores"]["agreement"] = {
          {"value", agreement.value}, {"error", agreement.error}, {"name", "Class agreement (classifier)"}};
    }
  }
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

bool Comparison::drawn(const CompareCell& cell) const { return fs::exists(folder(cell) / block_name(0)); }

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
  const BootstrapSettings bootstrap{.resamples = plan_.resamples, .level = plan_.level, .seed = plan_.seed};
  for (const CompareCell& cell : cells_) {
    if (cell.variant == plan_.variants.size() || !fs::exists(scores_file(cell))) continue;
    ordered_json row = ordered_json::parse(read_file(scores_file(cell)));
    row["sampling"] = cell.sampling;
    const auto base = std::find_if(cells_.begin(), cells_.end(), [&](const CompareCell& other) {
      return other.nfe == cell.nfe &&
             (plan_.baseline_is_model ? other.model == plan_.baseline && other.variant == cell.variant
                                      : other.model == cell.model && other.variant == plan_.baseline);
    });
    const auto frechet = row["scores"].find("frechet");
    if (base != cells_.end() && base->key != cell.key && frechet != row["scores"].end() && frechet->contains("low") &&
        fs::exists(scores_file(*base))) {
      const fs::path file = folder(cell) / format("less-{}-{}.json", base->key, scoring(cell));
      if (!fs::exists(file)) {
        Loaded& model = loaded(cell.model);
        const auto of = [&](const CompareCell& which) {
          return model.features->extract(images_of(which, plan_.images)).to(at::kDouble);
        };
        write_file(file, as_json(frechet_difference(of(cell), of(*base), model.reference(), bootstrap)).dump(1) + "\n");
      }
      row["scores"]["frechet"]["difference"] = ordered_json::parse(read_file(file));
    }
    out["cells"].push_back(std::move(row));
  }
  // Not dominated: no other cell of the model has fewer evaluations and a lower distance.
  for (auto& row : out["cells"]) {
    if (!row["scores"].contains("frechet")) continue;
    const double value = row["scores"]["frechet"]["value"];
    row["pareto"] = std::none_of(out["cells"].begin(), out["cells"].end(), [&](const ordered_json& other) {
      const double its = other["scores"]["frechet"]["value"];
      return other["model"] == row["model"] && other["nfe"] <= row["nfe"] && its <= value &&
             (other["nfe"] < row["nfe"] || its < value);
    });
  }
  return out;
}

}  // namespace edmund
