// merge: a run with adapters added to its weights for good, as a run folder of its own. It needs no
// adapter any more, and samples as fast as any other.
//
//   edmund merge RUN|CHECKPOINT OUT [--adapter FILE:STRENGTH …]
//
// A run that was trained with `adapter` is merged with its own.

#include "adapter_flag.h"
#include "edmund/app/adapter.h"
#include "edmund/app/run.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/networks/adapter.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/checkpoint.h"

#include <memory>

namespace edmund {
namespace {

namespace fs = std::filesystem;

NamedTensors merged(const Target& target, Weights weights) {
  const TrainedModel trained = load_model(target.path, target.overrides, Needs::kModel, weights);
  NamedTensors out;
  for (const auto& [name, tensor] : state_dict(trained.experiment.model.network()))
    out.emplace_back(name, tensor.cpu().clone());
  return out;
}

// The config as it was chosen, without adapters.
Options plain_config(const TrainedModel& trained) {
  const Options& given = trained.experiment.config.options;
  std::vector<std::string> without;
  if (given.has("adapter")) without.emplace_back("adapter=none");
  if (given.has("adapters")) without.emplace_back("adapters=[]");
  return Options::read_text(given.chosen(), "merged config", without);
}

ExitCode merge(const Target& target, const std::string& folder) {
  const RunFolder run{folder};
  require_folder_like("OUT", run.path);
  require(!fs::exists(run.config()) && !fs::exists(run.path / "checkpoints"),
          "{}: holds a run already; choose another folder", run.path.string());
  const TrainedModel trained = load_model(target.path, target.overrides, Needs::kModel);
  const Options& given = trained.experiment.config.options;
  require(given.has("adapter") || given.has("adapters"), "{}: has no adapter to merge; name one with --adapter",
          target.path);
  require(prefixes(trained.experiment.model.network()).empty(),
          "{}: a prefix is no change of weights, so that it cannot be merged", target.path);
  Options config = plain_config(trained);
  take_image(config, given.resolved(), "merged config");
  chosen_adapters(config);  // none any more
  const Experiment plain = construct(parse(config), Needs::kSettings);
  Checkpoint checkpoint;
  checkpoint.config = config.chosen();
  checkpoint.resolved = plain.config.options.resolved();
  checkpoint.images = trained.images;
  checkpoint.ema = merged(target, Weights::kEma);
  checkpoint.network = merged(target, Weights::kRaw);
  save_checkpoint(checkpoint_folder(run.path, checkpoint.images), checkpoint);
  write_file(run.resolved(),
             "# All values in use, for readers; what was chosen stands in config.yaml.\n" + checkpoint.resolved);
  write_file(run.config(), checkpoint.config);
  log::info("{}: {} with its adapters in the weights", folder, trained.checkpoint.string());
  return ExitCode::kDone;
}

}  // namespace

Action make_merge(CLI::App& arguments) {
  struct Flags {
    Target target;
    std::string out;
  };
  const auto flags = std::make_shared<Flags>();
  arguments.add_option("target", flags->target.path, "RUN or CHECKPOINT")->required();
  arguments.add_option("out", flags->out, "run folder to be made")->required();
  add_adapters(arguments, flags->target);
  return [=] { return merge(flags->target, flags->out); };
}

}  // namespace edmund
