// convert: a model that another project saved becomes a run folder, which every command takes that
// needs no training data.
//
//   edmund convert IN OUT [key.path=value…] [--from KIND]
//       [--adapter FILE:STRENGTH …]     of diffusers' folders: adapters in their names, merged
//   edmund convert RUN|CHECKPOINT OUT --to KIND [--raw]     the other way: files of that project
//       --to peft: the run's adapter alone, by the names that diffusers has for its layers
//   edmund convert CONFIG.yaml OUT
//       a config whose network is exported (TorchScript, .pt2) and so brings its own weights
//
// Nothing in the file is executed. OUT samples at once in its authors' way; the config in it says
// how. Settings that a file does not tell, or tells wrongly, are said as key.path=value of that
// config, or, of OpenAI's weights, as flag=value of their authors' program. Where the file has
// averaged and raw weights, OUT has both (`--raw` takes the latter).

#include "adapter_flag.h"
#include "edmund/app/adapter.h"
#include "edmund/app/run.h"
#include "edmund/checkpoints/diffusers.h"
#include "edmund/checkpoints/foreign.h"
#include "edmund/checkpoints/outward.h"
#include "edmund/commands/command.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/checkpoint.h"
#include "inspect_foreign.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPeft = "peft";  // an adapter alone

struct ConvertFlags {
  std::string in, out, from, to;
  std::vector<std::string> said;
  bool raw = false;
  Target adapters;  // its overrides
};

// Adapters that were made for the network under the names that it has there.
void add_foreign_adapters(ForeignModel& model, const ConvertFlags& flags) {
  Options options = Options::read_text("", "--adapter", flags.adapters.overrides);
  const auto adapters = chosen_adapters(options);
  options.finish();
  require(adapters.empty() || model.kind == "diffusers", "--adapter: goes with folders of diffusers, {} is of kind {}",
          flags.in, model.kind);
  for (const auto& [file, strength] : adapters) {
    const auto changes = adapter_changes(read_adapter(file), diffusers_tensors(flags.in, model.weights), strength);
    const NamedTensors ours = diffusers_changes(flags.in, changes);
    if (strength == 0.0) continue;
    std::map<std::string, Tensor> by_name(ours.begin(), ours.end());
    for (auto& [name, tensor] : model.weights)
      if (const auto found = by_name.find(name); found != by_name.end()) tensor = tensor + found->second;
    model.about += format(", with the adapter {} ({} layers, strength {})", file.string(), changes.size(), strength);
  }
}

bool is_config(const fs::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }

// The config itself, and of which file it speaks.
ForeignModel model_of_config(const fs::path& path, const std::vector<std::string>& said) {
  Options options = Options::read_file(path, said);
  Options network = options.child("network");
  const std::string type = network.text("type", "");
  require(type == "exported", "{}: a config whose network.type is {} has no weights yet: edmund train makes them",
          path.string(), in_quotes(type));
  const fs::path file = network.required_path("file");
  std::vector<std::string> more = said;
  if (!file.empty() && !network.has("checksum"))
    more.push_back(format("network.checksum='{}'", checksum(read_file(file))));
  // what it takes does not hang on the data that it may be measured on
  if (options.has("image") && !options.child("image").has("classes")) more.emplace_back("image.classes=0");
  // a config states how long its run is; this one is at its end
  if (!options.child("training").has("images")) more.emplace_back("training.images=1");
  return {.kind = "config",
          .config = Options::read_file(path, more).chosen(),
          .weights = {},
          .about = "the program " + file.string()};
}

std::vector<std::string_view> outward_kinds() {
  std::vector<std::string_view> out;
  for (const auto& entry : outward_table()) out.push_back(entry.name);
  out.push_back(kPeft);
  return out;
}

ExitCode convert_outward(const ConvertFlags& flags) {
  const fs::path out = flags.out;
  const auto kinds = outward_kinds();
  require(std::ranges::find(kinds, flags.to) != kinds.end(), "--to: no kind {}{}", in_quotes(flags.to),
          suggestion(flags.to, kinds));
  require_folder_like("OUT", out);
  require(!fs::exists(out) || fs::is_empty(out), "{}: is not empty; choose another folder", out.string());
  require(flags.from.empty(), "--from: is of the other way; what goes out is a run here");
  const TrainedModel trained =
      load_model(flags.in, flags.said, Needs::kModel, flags.raw ? Weights::kRaw : Weights::kEma);
  Network& network = trained.experiment.model.network();
  network.to(at::kCPU);
  const Options all = Options::read_text(trained.experiment.config.options.resolved(), flags.in + " (resolved)");
  const SavedModel model{.network = network, .weights = state_dict(network), .values = all.flattened()};
  if (flags.to == kPeft) {
    const AdapterFile adapter = read_adapter(flags.in);
    require(adapter.prefixes.empty(), "{}: a prefix has no counterpart in peft", adapter.file);
    write_adapter(out, {.file = adapter.file, .layers = diffusers_layers(model, adapter.layers)});
    log::info("{}: its adapter, by the names that diffusers has for its layers, in {}", flags.in, flags.out);
    return ExitCode::kDone;
  }
  const auto files = outward_files(flags.to, model);
  for (const auto& [path, bytes] : files) write_file(out / path, bytes);
  log::info("{}: {} files of kind {} in {}", flags.in, files.size(), flags.to, flags.out);
  return ExitCode::kDone;
}

ExitCode convert(const ConvertFlags& flags) {
  if (!flags.to.empty()) return convert_outward(flags);
  require(!flags.raw, "--raw: is of the way out (--to); what comes in keeps both");
  const RunFolder run{flags.out};
  require_folder_like("OUT", run.path);
  require(!fs::exists(run.config()) && !fs::exists(run.path / "checkpoints"),
          "{}: holds a run already; choose another folder", run.path.string());
  const bool configured = flags.from.empty() && is_config(flags.in);
  ForeignModel model =
      configured ? model_of_config(flags.in, flags.said) : read_foreign(flags.in, flags.from, flags.said);
  add_foreign_adapters(model, flags);
  Experiment experiment = configured ? construct(parse(Options::read_text(model.config, flags.in)), Needs::kModel)
                                     : experiment_of(model, flags.in);
  if (configured) model.weights = state_dict(experiment.model.network());
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
  arguments.add_option("in", flags->in, "the model's file or folder, or a config with an exported network")->required();
  arguments.add_option("out", flags->out, "run folder to be made")->required();
  arguments.add_option("said", flags->said, "key.path=value: a setting that the file does not tell, or tells wrongly")
      ->option_text("key.path=value ...");
  std::vector<std::string_view> kinds;
  for (const auto& entry : foreign_table()) kinds.push_back(entry.name);
  arguments.add_option("--from", flags->from, "kind of the file: " + join(kinds, ", ") + "; found out if not given");
  arguments.add_option(
      "--to", flags->to,
      "IN is a run, OUT a folder of this kind: " + join(outward_kinds(), ", ") + " (its adapter alone)");
  arguments.add_flag("--raw", flags->raw, "with --to: the raw weights in place of their average");
  add_adapters(arguments, flags->adapters);
  return [=] { return convert(*flags); };
}

}  // namespace edmund
