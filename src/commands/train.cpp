// train: a run folder from a config.
//
//   edmund train CONFIG [key=value…] [--run DIR]
//       new run, or the unfinished one of the same config in DIR (default runs/<name>)
//   edmund train RUN [training.images=…]
//       goes on with a run folder
//   --dry-run checks and constructs everything, and trains nothing

#include "edmund/app/run.h"
#include "edmund/commands/command.h"
#include "edmund/core/file_system.h"
#include "edmund/core/folder_lock.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/networks/state_dict.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

namespace edmund {
namespace fs = std::filesystem;

Action make_train(CLI::App& arguments) {
  const auto target = std::make_shared<Target>();
  const auto folder = std::make_shared<std::string>();
  const auto dry = std::make_shared<bool>(false);
  add_target(arguments, *target, "CONFIG.yaml or RUN");
  arguments.add_option("--run", *folder, "run folder (default: runs/<name of the config>)");
  arguments.add_flag("--dry-run", *dry, "check and construct everything, train and write nothing");
  return [=] {
    const bool existing = fs::is_directory(target->path);
    if (!folder->empty()) require_folder_like("--run", *folder);
    require(!existing || folder->empty(), "--run goes with a config; '{}' is a run folder already", target->path);
    const fs::path config = existing ? RunFolder{target->path}.config() : fs::path(target->path);
    require(!existing || fs::exists(config), "{}: not a run folder (no config.yaml in it)", target->path);
    RunConfig parsed = parse(existing ? run_options({target->path}, target->overrides)
                                      : Options::read_file(config, target->overrides));
    // A name that is refused is a mistake of the config, which construct() tells with the others.
    const fs::path named = name_fault(parsed.name).empty() ? fs::path("runs") / parsed.name : fs::path();
    const RunFolder run{existing ? fs::path(target->path) : folder->empty() ? named : fs::path(*folder)};
    // One owner, before anything is read; a folder that is not there is made when all is well.
    std::optional<FolderLock> owner;
    std::error_code error;
    if (!run.path.empty() && fs::is_directory(run.path, error)) owner.emplace(run.path, "trained");
    Experiment experiment = construct(std::move(parsed), Needs::kData);
    experiment.objective(experiment.model);  // refuses what it cannot train
    if (!owner && !*dry) owner.emplace(run.path, "trained");
    require_same_training(experiment, run);
    apply_backend(experiment.config.backend);
    if (*dry) {
      log::info("would train {} to {} images in {}: {} parameters, {}", experiment.config.name,
                experiment.config.training.images, run.path.string(), parameter_count(experiment.model.network()),
                experiment.sampling.name);
      return ExitCode::kDone;
    }
    const ExitCode code = train_run(experiment, run);
    try {
      write_report(run, parameter_count(experiment.model.network()));
      log::info("report: {}", fs::absolute(run.report()).string());
      // what was trained is kept; the same command writes it again
    } catch (const DiskError& failure) {
      log::warn("{}; the report is not written", failure.what());
    }
    return code;
  };
}

}  // namespace edmund
