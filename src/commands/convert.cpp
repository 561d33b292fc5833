// convert: a model that another project saved becomes a run folder, which every command takes that
// needs no training data.
//
//   edmund convert IN OUT [--from KIND] [--set KEY=VALUE]…
//
// --set states what the file does not tell, by the name of its authors' flag; what is needed is
// asked for.
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
#include <string>
#include <string_view>
#include <vector>

namespace edmund {
namespace {

namespace fs = std::filesystem;

struct ConvertFlags {
  std::string in, out, from;
  std::vector<std::string> settings;
};

ExitCode convert(const ConvertFlags& flags) {
  const RunFolder run{flags.out};
  require_folder_like("OUT", run.path);
  require(!fs::exists(run.config()) && !fs::exists(run.path / "checkpoints"),
          "{}: holds a run already; choose another folder", run.path.string());
  const ForeignModel model = read_foreign(flags.in, flags.from, ForeignSettings(flags.settings));
  Experiment experiment =
      construct(parse(Options::read_text(model.config, flags.in + " (its settings)")), Needs::kModel);
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
  arguments.add_option("in", flags->in, "the model's file")->required();
  arguments.add_option("out", flags->out, "run folder to be made")->required();
  std::vector<std::string_view> kinds;
  for (const auto& entry : foreign_table()) kinds.push_back(entry.name);
  arguments.add_option("--from", flags->from, "kind of the file, found out if not given: " + join(kinds, ", "));
  arguments.add_option("--set", flags->settings, "KEY=VALUE that the file does not tell, such as num_heads=4")
      ->allow_extra_args(false);
  return [=] { return convert(*flags); };
}

}  // namespace edmund
