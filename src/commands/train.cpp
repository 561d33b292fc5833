// train: a run folder from a config.
//
//   edmund train CONFIG [key=value…] [--run DIR]
//       new run, or the unfinished one of the same config in DIR (default runs/<name>)
//   edmund train RUN [training.images=…]
//       goes on with a run folder
//   edmund train --from CHECKPOINT [key=value…]
//       goes on with the run of a checkpoint from there, with other settings; of a RUN: from its
//       last healthy one. `edmund train RUN --from start` begins it anew. What was trained past
//       that moment is put aside
//   edmund train --from CHECKPOINT --replay FILE
//       prints what its weights make of a batch of RUN/diverged, and trains nothing
//   --dry-run checks and constructs everything, and trains nothing

#include "edmund/app/run.h"
#include "edmund/commands/command.h"
#include "edmund/core/file_system.h"
#include "edmund/core/folder_lock.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/checkpoint.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace edmund {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kStart = "start";

struct TrainFlags {
  Target target;
  std::string run, from, replay;
  bool dry = false;
};

// A moment of a run: a checkpoint, or its start.
struct Moment {
  RunFolder run;
  std::optional<fs::path> checkpoint;
};

fs::path without_slash(const fs::path& folder) { return folder.has_filename() ? folder : folder.parent_path(); }

// What --from says. Then the first argument may be one of the settings.
Moment moment_of(TrainFlags& flags) {
  Target& target = flags.target;
  if (target.path.find('=') != std::string::npos && !fs::exists(target.path)) {
    target.overrides.insert(target.overrides.begin(), target.path);
    target.path.clear();
  }
  require(flags.run.empty(), "--run does not go with --from, which names a run that is there");
  if (flags.from == kStart) {
    require(!target.path.empty() && fs::exists(RunFolder{target.path}.config()),
            "--from start: expected the folder of a run, as in `edmund train RUN --from start`, found {}",
            in_quotes(target.path));
    return {.run = {target.path}, .checkpoint = std::nullopt};
  }
  const fs::path from = without_slash(flags.from);
  Moment out{.run = {from}, .checkpoint = from};
  if (fs::exists(from / "state.json")) {
    const fs::path checkpoints = from.parent_path();
    out.run.path = checkpoints.has_parent_path() ? checkpoints.parent_path() : find_checkpoint(from).run.path;
  } else {
    require(fs::exists(out.run.config()), "--from: expected a checkpoint, a run or start, found {}",
            in_quotes(flags.from));
    out.checkpoint = newest_healthy_checkpoint(from);
    require(out.checkpoint.has_value(),
            "--from: {} has no healthy checkpoint; `edmund train {} --from start` begins it anew", flags.from,
            flags.from);
  }
  std::error_code error;
  require(target.path.empty() || fs::equivalent(target.path, out.run.path, error),
          "--from: {} is of the run {}, not of {}; leave that out", flags.from, out.run.path.string(),
          in_quotes(target.path));
  return out;
}

RunFolder run_of(const TrainFlags& flags, const RunConfig& config) {
  if (!flags.run.empty()) return {flags.run};
  if (fs::is_directory(flags.target.path)) return {flags.target.path};
  // A name that is refused is a mistake of the config, which construct() tells with the others.
  return {name_fault(config.name).empty() ? fs::path("runs") / config.name : fs::path()};
}

Options config_of(const TrainFlags& flags) {
  const Target& target = flags.target;
  const bool existing = fs::is_directory(target.path);
  require(!target.path.empty(), "edmund train: expected CONFIG.yaml or RUN");
  if (!flags.run.empty()) require_folder_like("--run", flags.run);
  require(!existing || flags.run.empty(), "--run goes with a config; '{}' is a run folder already", target.path);
  const fs::path config = existing ? RunFolder{target.path}.config() : fs::path(target.path);
  require(!existing || fs::exists(config), "{}: not a run folder (no config.yaml in it)", target.path);
  return existing ? run_options({target.path}, target.overrides) : Options::read_file(config, target.overrides);
}

ExitCode train(TrainFlags flags) {
  std::optional<Moment> moment;
  if (!flags.from.empty()) moment = moment_of(flags);
  if (!flags.replay.empty()) {
    require(moment.has_value(), "--replay: expected --from CHECKPOINT beside it, whose weights see the batch");
    std::cout << replayed_batch(moment->run, moment->checkpoint, flags.target.overrides, flags.replay);
    return ExitCode::kDone;
  }
  RunConfig parsed = parse(moment ? run_options(moment->run, flags.target.overrides) : config_of(flags));
  const RunFolder run = moment ? moment->run : run_of(flags, parsed);
  // One owner, before anything is read; a folder that is not there is made when all is well.
  std::optional<FolderLock> owner;
  std::error_code error;
  if (!run.path.empty() && fs::is_directory(run.path, error)) owner.emplace(run.path, "trained");
  Experiment experiment = construct(std::move(parsed), Needs::kData);
  experiment.objective(experiment.model);  // refuses what it cannot train
  if (!owner && !flags.dry) owner.emplace(run.path, "trained");
  if (!moment) require_same_training(experiment, run);
  apply_backend(experiment.config.backend);
  if (flags.dry) {
    check_run(experiment, run);
    log::info("would train {} to {} images in {}: {} parameters, {}", experiment.config.name,
              experiment.config.training.images, run.path.string(), parameter_count(experiment.model.network()),
              experiment.sampling.name);
    return ExitCode::kDone;
  }
  if (moment) start_branch(experiment, run, moment->checkpoint);
  const ExitCode code = train_run(experiment, run);
  try {
    write_report(run, parameter_count(experiment.model.network()));
    log::info("report: {}", fs::absolute(run.report()).string());
    // what was trained is kept; the same command writes it again
  } catch (const Error& failure) {
    log::warn("{}; the report is not written", failure.what());
  }
  return code;
}

}  // namespace

Action make_train(CLI::App& arguments) {
  const auto flags = std::make_shared<TrainFlags>();
  add_target(arguments, flags->target, "CONFIG.yaml or RUN");
  arguments.get_option("target")->required(false);  // --from names the run
  arguments.add_option("--run", flags->run, "run folder (default: runs/<name of the config>)");
  arguments.add_option("--from", flags->from, "checkpoint, or run, to go on from with other settings; start: anew")
      ->type_name("CHECKPOINT");
  arguments
      .add_option("--replay", flags->replay, "batch of RUN/diverged, to see what the weights of --from make of it")
      ->type_name("FILE");
  arguments.add_flag("--dry-run", flags->dry, "check and construct everything, train and write nothing");
  return [=] { return train(*flags); };
}

}  // namespace edmund
