// convert: a model that another project saved becomes a run folder, which every command takes that
// needs no training data.
//
//   edmund convert IN OUT [--from KIND]
//   edmund convert CONFIG.yaml OUT
//       a config whose network is exported (TorchScript, .pt2) and so brings its own weights
//
// Nothing in the file is executed. OUT samples at once in its authors' way; the config in it says
// how.

#include "edmund/app/run.h"
#include "edmund/checkpoints/foreign.h"
#include "edmund/commands/command.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/checkpoint.h"

#include <memory>

namespace edmund {
namespace {

namespace fs = std::filesystem;

struct ConvertFlags {
  std::string in, out, from;
};

bool is_config(const fs::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }

// The config itself, and of which file it speaks.
ForeignModel model_of_config(const fs::path& path) {
  Options options = Options::read_file(path);
  Options network = options.child("network");
  const std::string type = network.text("type", "");
  require(type == "exported", "{}: a config whose network.type is {} has no weights yet: edmund train makes them",
          path.string(), in_quotes(type));
  const fs::path file = network.required_path("file");
  if (!file.empty() && !network.has("checksum")) network.set("checksum", checksum(read_file(file)), path.string());
  // a config states how long its run is; this one is at its end
  if (Options training = options.child("training"); !training.has("images")) training.set("images", "1", path.string());
  return {.kind = "config", .config = options.chosen(), .weights = {}, .about = "the program " + file.string()};
}

ExitCode convert(const ConvertFlags& flags) {
  const RunFolder run{flags.out};
  require_folder_like("OUT", run.path);
  require(!fs::exists(run.config()) && !fs::exists(run.path / "checkpoints"),
          "{}: holds a run already; choose another folder", run.path.string());
  const bool configured = flags.from.empty() && is_config(flags.in);
  ForeignModel model = configured ? model_of_config(flags.in) : read_foreign(flags.in, flags.from);
  Experiment experiment =
      construct(parse(Options::read_text(model.config, flags.in + " (its settings)")), Needs::kModel);
  if (configured) model.weights = state_dict(experiment.model.network());
  check_state(experiment.model.network(), model.weights, flags.in);
  const Options& options = experiment.config.options;
  Checkpoint checkpoint;
  checkpoint.config = options.chosen();
  checkpoint.resolved = options.resolved();
  checkpoint.images = model.images;
  checkpoint.network = checkpoint.ema = model.weights;
  save_checkpoint(checkpoint_folder(run.path, checkpoint.images), checkpoint);
  write_file(run.resolved(), "# All values in use, for readers; what the model's file says stands in config.yaml.\n" +
                                 checkpoint.resolved);
  write_file(run.config(), checkpoint.config);
  log::info("{}: {}, {} parameters; sampled as its authors do by `edmund sample {}`", flags.in, model.about,
            grouped(parameter_count(experiment.model.network())), flags.out);
  return ExitCode::kDone;
}

}  // namespace

Action make_convert(CLI::App& arguments) {
  const auto flags = std::make_shared<ConvertFlags>();
  arguments.add_option("in", flags->in, "the model's file, or a config with an exported network")->required();
  arguments.add_option("out", flags->out, "run folder to be made")->required();
  arguments.add_option("--from", flags->from, "kind of the file: edm; found out if not given");
  return [=] { return convert(*flags); };
}

}  // namespace edmund
