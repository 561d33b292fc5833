// convert: a model that another project saved becomes a run folder, which every command takes that
// needs no training data.
//
//   edmund convert IN OUT [key.path=value…] [--from KIND]
//
// Nothing in the file is executed. OUT samples at once in its authors' way; the config in it says
// how. Settings that a file does not tell, or tells wrongly, are said as key.path=value of that
// config. Where the file has averaged and raw weights, OUT has both (`--raw` takes the latter).

#include "edmund/app/run.h"
#include "edmund/checkpoints/foreign.h"
#include "edmund/commands/command.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/checkpoint.h"
#include "inspect_foreign.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {
namespace {

namespace fs = std::filesystem;

struct ConvertFlags {
  std::string in, out, from;
  std::vector<std::string> said;
};

ExitCode convert(const ConvertFlags& flags) {
  const RunFolder run{flags.out};
  require_folder_like("OUT", run.path);
  require(!fs::exists(run.config()) && !fs::exists(run.path / "checkpoints"),
          "{}: holds a run already; choose another folder", run.path.string());
  const ForeignModel model = read_foreign(flags.in, flags.from, flags.said);
  const Experiment experiment = experiment_of(model, flags.in, flags.said);
  const Options& options = experiment.config.options;
  Checkpoint checkpoint;
  checkpoint.config = options.chosen();
  checkpoint.resolved = options.resolved();
  checkpoint.images = model.images;
  checkpoint.ema = model.weights;
  checkpoint.network = model.raw.empty() ? model.weights : model.raw;
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
  arguments.add_option("said", flags->said, "key.path=value: a setting that the file does not tell, or tells wrongly")
      ->option_text("key.path=value ...");
  std::vector<std::string_view> kinds;
  for (const auto& entry : foreign_table()) kinds.push_back(entry.name);
  arguments.add_option("--from", flags->from, "kind of the file: " + join(kinds, ", ") + "; found out if not given");
  return [=] { return convert(*flags); };
}

}  // namespace edmund
