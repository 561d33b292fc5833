#include "edmund/app/run.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/checkpoint.h"
#include "edmund/training/trainer.h"

#include <algorithm>
#include <iterator>
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
  static constexpr std::string_view kFixed[] = {"preset", "schedule", "grid", "sampler", "clip", "threshold"};
  for (const auto& key : sampling.keys())
    if (std::find(std::begin(kFixed), std::end(kFixed), key) == std::end(kFixed)) sampling.defer(key);
  return plain.resolved();
}

}  // namespace

FoundCheckpoint find_checkpoint(const fs::path& path) {
  require(fs::is_directory(path), "{}: no such run folder; `edmund train CONFIG` makes one", path.string());
  if (fs::exists(path / "state.json"))  // a checkpoint itself: RUN/checkpoints/000000012800
    return {{fs::absolute(path).lexically_normal().parent_path().parent_path()}, path};
  const auto newest = newest_checkpoint(path);
  require(newest.has_value(), "{}: no whole checkpoint in {}; train it first with `edmund train`", path.string(),
          (path / "checkpoints").string());
  return {{path}, *newest};
}

TrainedModel load_model(const fs::path& path, std::span<const std::string> overrides, Needs needs, Weights weights) {
  const auto [run, folder] = find_checkpoint(path);
  const bool ema = weights == Weights::kEma;
  const Checkpoint checkpoint = load_weights(folder, ema);
  // A checkpoint may have been trained on another machine: where it runs here is this machine's
  // choice.
  std::vector<std::string> here = {"device=auto"};
  here.insert(here.end(), overrides.begin(), overrides.end());
  const std::string name = (folder / "state.json").string() + " (config)";
  RunConfig config = parse(Options::read_text(config_under(checkpoint.config, name, overrides), name, here));
  apply_backend(config.backend);
  Experiment experiment = construct(std::move(config), needs);
  load_state(experiment.model.network(), ema ? checkpoint.ema : checkpoint.network, folder.string());
  return {.run = run, .checkpoint = folder, .images = checkpoint.images, .experiment = std::move(experiment)};
}

void require_same_training(const Experiment& experiment, const RunFolder& run) {
  const auto newest = newest_checkpoint(run.path);
  if (!newest) return;
  auto before = Options::read_text(read_header(*newest).config, "checkpoint").flattened();
  before.emplace("objective.type", "denoise");  // of runs older than the key
  const auto now = Options::read_text(experiment.config.options.resolved(), "config").flattened();
  static constexpr std::string_view kFree[] = {"name",
                                               "kernels",
                                               "conv",
                                               "device",
                                               "precision",
                                               "graphs",
                                               "sampling.",
                                               "evaluation.",
                                               "data.root",
                                               "image.class_counts",
                                               "training.images",
                                               "training.loader_threads",
                                               "training.keep_checkpoints",
                                               "training.log_every",
                                               "training.checkpoint_every",
                                               "training.samples_every",
                                               "training.sample_rows"};
  const auto free = [](std::string_view key) {
    return std::any_of(std::begin(kFree), std::end(kFree), [&](auto prefix) { return key.starts_with(prefix); });
  };
  std::string differing;
  for (const auto& [key, value] : now)
    if (const auto found = before.find(key); !free(key) && (found == before.end() || found->second != value))
      differing += format("{}{} ({} there, {} here)", differing.empty() ? "" : ", ", key,
                          found == before.end() ? "none" : found->second, value);
  require(differing.empty(), "{}: holds another training: {}; choose another folder with --run", run.path.string(),
          differing);
}

}  // namespace edmund
