#include "edmund/app/run.h"

#include "edmund/app/adapter.h"
#include "edmund/core/error.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/checkpoint.h"
#include "edmund/training/kept_averages.h"
#include "edmund/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {
namespace fs = std::filesystem;

namespace {

// A preset on the command line takes the place of how the run samples; beside a value that stands
// in a config it would only fill gaps.
std::string config_under(const std::string& config, const std::string& name, std::span<const std::string> overrides) {
  const bool preset = std::any_of(overrides.begin(), overrides.end(), [](const std::string& text) {
    return text.starts_with("sampling.preset=") && !text.ends_with("=none");
  });
  if (!preset) return config;
  Options plain = Options::read_text(config, name);
  for (const auto& key : plain.keys())
    if (key != "sampling") plain.defer(key);
  Options sampling = plain.child("sampling");
  static constexpr std::string_view kFixed[] = {"preset", "schedule",  "grid",         "sampler",
                                                "clip",   "threshold", "threshold_max"};
  for (const auto& key : sampling.keys())
    if (std::find(std::begin(kFixed), std::end(kFixed), key) == std::end(kFixed)) sampling.defer(key);
  return plain.resolved();
}

// Version 0.1.0 stored all values as if they had been chosen. Of how a run samples, those that are
// the default where they stand are taken for what was filled in.
std::string without_defaults(const std::string& config, const std::string& name) {
  Options options = Options::read_text(config, name);
  construct(parse(options), Needs::kSettings);
  auto values = options.flattened();
  if (const auto preset = values.find("sampling.preset"); preset != values.end() && preset->second != "none")
    return config;  // whose values take the place of defaults
  for (const OptionFacts& fact : options.facts())
    if (fact.path.starts_with("sampling.") && !fact.path.ends_with(".type") && fact.value == fact.fallback)
      values.erase(fact.path);
  std::vector<std::string> chosen;
  chosen.reserve(values.size());
  for (const auto& [key, value] : values) chosen.push_back(format("{}={}", key, value));
  return Options::read_text("", name, chosen).chosen();
}

}  // namespace

Options run_options(const RunFolder& run, std::span<const std::string> overrides) {
  return Options::read_text(read_file(run.config()), run.config().string(), overrides);
}

void take_image(Options& options, const std::string& resolved, const std::string& name) {
  if (resolved.empty()) return;  // of version 0.1.0, whose configs hold it
  Options all = Options::read_text(resolved, name);
  const std::string image = all.child("image").chosen();
  if (!image.empty()) options.child("image").stand_on(image, name);
}

Options options_again(const Experiment& experiment, std::span<const std::string> overrides) {
  return Options::read_text(experiment.config.options.chosen(), "config", overrides);
}

FoundCheckpoint find_checkpoint(const fs::path& path) {
  require(fs::is_directory(path), "{}: no such run folder; `edmund train CONFIG` makes one", path.string());
  if (fs::exists(path / "state.json"))  // a checkpoint itself: RUN/checkpoints/000000012800
    return {{fs::absolute(path).lexically_normal().parent_path().parent_path()}, path};
  const auto newest = newest_checkpoint(path);
  require(newest || fs::exists(path / "config.yaml") || fs::exists(path / "checkpoints"),
          "{}: neither a run nor a checkpoint: it has no config.yaml, no checkpoints and no state.json", path.string());
  require(newest.has_value(), "{}: no whole checkpoint in {}; train it first with `edmund train`", path.string(),
          (path / "checkpoints").string());
  return {{path}, *newest};
}

std::string Weights::name() const {
  return kind == Kind::kWidth ? format("ema {}", width) : kind == Kind::kRaw ? "raw" : "ema";
}

Weights weights_named(std::string_view text, std::string_view where) {
  if (text.empty() || text == "ema") return Weights::kEma;
  if (text == "raw") return Weights::kRaw;
  const auto width = parse_real(text);
  require(width && *width > 0.0 && *width < 1.0 / std::sqrt(12.0),
          "{}: expected ema, raw, or a relative width above 0 and below 0.2886, found {}", where, in_quotes(text));
  return {.kind = Weights::Kind::kWidth, .width = *width};
}

std::int64_t load_into(Network& network, const RunFolder& run, const fs::path& folder, Weights weights) {
  const bool raw = weights.kind == Weights::Kind::kRaw;
  Checkpoint checkpoint = load_weights(folder, !raw);
  NamedTensors& state = raw ? checkpoint.network : checkpoint.ema;
  if (weights.kind != Weights::Kind::kWidth) {
    load_state(network, state, folder.string());
    return checkpoint.images;
  }
  const Reconstruction made = reconstructed(run.path, weights.width, checkpoint.images);
  std::map<std::string, Tensor> parameters(made.parameters.begin(), made.parameters.end());
  for (auto& [name, tensor] : state)  // buffers stay those of the checkpoint
    if (const auto found = parameters.find(name); found != parameters.end()) tensor = found->second;
  load_state(network, state, (run.path / "averages").string());
  constexpr double kFar = 0.02;
  if (made.residual > kFar)
    log::warn("an average of width {} is {} % off what {} kept averages can be added up to; track a width nearer to it",
              weights.width, short_number(100 * made.residual), made.averages);
  return made.images;
}

namespace {

// A run is sampled as its checkpoint says. Who changes RUN/config.yaml is told so; what is trained
// may be about to change.
void warn_of_changes(const RunFolder& run, const std::string& trained) {
  const fs::path file = run.config();
  if (file_system().status(file).kind == FileStatus::Kind::kMissing) return;
  try {
    using Values = std::map<std::string, std::string>;
    const Values there = run_options(run).flattened(), here = Options::read_text(trained, "config").flattened();
    const auto value = [](const Values& values, const std::string& key) {
      const auto found = values.find(key);
      return found == values.end() ? std::string() : found->second;
    };
    for (const Values* values : {&there, &here})
      for (const auto& entry : *values) {
        const std::string& key = entry.first;
        if (key.starts_with("training.") || key == "name" || value(there, key) == value(here, key)) continue;
        return log::warn(
            "{}: {} is not what its checkpoint says, which counts; KEY=VALUE on the command line changes it", file,
            key);
      }
  } catch (const Error& error) {
    log::warn("{}; what its checkpoint says counts", error.what());
  }
}

}  // namespace

TrainedModel load_model(const fs::path& path, std::span<const std::string> overrides, Needs needs, Weights weights) {
  const auto [run, folder] = find_checkpoint(path);
  const Checkpoint checkpoint = read_header(folder);
  if (folder != path) warn_of_changes(run, checkpoint.config);
  // A checkpoint may have been trained on another machine: where it runs here is this machine's
  // choice.
  std::vector<std::string> here = {"device=auto"};
  here.insert(here.end(), overrides.begin(), overrides.end());
  const std::string name = (folder / "state.json").string() + " (config)";
  const std::string chosen =
      checkpoint.resolved.empty() ? without_defaults(checkpoint.config, name) : checkpoint.config;
  RunConfig config = parse(Options::read_text(config_under(chosen, name, overrides), name, here));
  apply_backend(config.backend);
  take_image(config.options, checkpoint.resolved, (folder / "state.json").string() + " (resolved)");
  Options root = config.options;
  const auto adapters = chosen_adapters(root);
  Experiment experiment = construct(std::move(config), needs);
  Network& network = experiment.model.network();
  const std::int64_t images = load_into(network, run, folder, weights);
  merge_adapter(network);  // that it was trained with
  for (const auto& [file, strength] : adapters) {
    const AdapterFile adapter = read_adapter(file);
    apply_adapter(network, adapter, strength);
    log::info("adapter {} with strength {}: {} layers", file.string(), strength,
              adapter.layers.size() + adapter.prefixes.size());
  }
  return {.run = run, .checkpoint = folder, .images = images, .weights = weights, .experiment = std::move(experiment)};
}

}  // namespace edmund
