// A run that goes on from one of its checkpoints with other settings: what was trained past it is
// put aside, and the change is written down.
#include "branches.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/networks/network.h"
#include "edmund/training/checkpoint.h"
#include "edmund/training/trainer.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace edmund {
namespace fs = std::filesystem;
namespace {

void move_into(const fs::path& from, const fs::path& folder) {
  make_folder(folder);
  require_done(file_system().rename_new(from, folder / from.filename()), "cannot be moved aside", from);
}

// Position in the name of a checkpoint or of a sheet of samples; -1 for other names.
std::int64_t position_of(const fs::path& path, std::string_view before) {
  const std::string name = path.stem().string();
  if (!name.starts_with(before)) return -1;
  const std::string digits = name.substr(before.size());
  const bool is_number =
      !digits.empty() && digits.size() < 19 && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  return is_number ? std::stoll(digits) : -1;
}

// What the run has past the position, newest first, so that at every moment the newest that is left
// is one of before.
void put_aside(const RunFolder& run, const fs::path& aside, std::int64_t images) {
  const std::pair<fs::path, std::string_view> places[] = {{run.path / "checkpoints", ""}, {run.images(), "samples-"}};
  for (const auto& [folder, before] : places) {
    std::vector<fs::path> past;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
      if (position_of(at->path(), before) > images) past.push_back(at->path());
    std::ranges::sort(past, std::greater<>(),
                      [before = before](const fs::path& path) { return position_of(path, before); });
    for (const fs::path& path : past) move_into(path, aside / folder.filename());
  }
  for (const char* name : {"config.yaml", "resolved.yaml", "metrics.jsonl", "timing.jsonl", "validation.jsonl"})
    if (fs::exists(run.path / name)) write_file(aside / name, read_file(run.path / name));
}

// Where the weights mean the same, and the optimizer's state fits.
void require_can_change(const SettingChanges& changes) {
  static constexpr std::string_view kCan[] = {"training.", "loss_weight", "noise_levels", "objective", "seed"};
  SettingChanges others = changes;
  std::erase_if(others, [](const auto& change) {
    return std::ranges::any_of(kCan, [&](auto prefix) { return change.first.starts_with(prefix); });
  });
  require(others.empty(),
          "--from: {}: a run keeps its network and its data; training.init starts another one from its weights",
          text_of(others));
}

fs::path free_folder(const RunFolder& run) {
  for (int number = 1;; ++number)
    if (fs::path folder = run.path / "branches" / std::to_string(number); !fs::exists(folder)) return folder;
}

}  // namespace

void start_branch(Experiment& experiment, const RunFolder& run, const std::optional<fs::path>& from) {
  Branch branch;
  std::string stored = fs::exists(run.resolved()) ? read_file(run.resolved()) : "";
  if (from) {
    const Checkpoint checkpoint = load_checkpoint(*from);
    branch.images = checkpoint.images;
    stored = checkpoint.resolved.empty() ? checkpoint.config : checkpoint.resolved;
    branch.changes = changed_settings(stored, experiment);
    require_can_change(branch.changes);
    // a trial, before anything is moved
    Trainer(experiment.objective(experiment.model), model_like(experiment).shared_network(), experiment.ema,
            experiment.config.training)
        .restore(checkpoint);
  } else if (!stored.empty()) {
    branch.changes = changed_settings(stored, experiment);
  }
  const fs::path aside = free_folder(run);
  branch.aside = fs::relative(aside, run.path).string();
  put_aside(run, aside, from ? branch.images : -1);
  write_file(run.config(), experiment.config.options.chosen());
  add_branch(run, branch);
  log::info("a branch of {} from {} images on{}{}; what was there past it lies in {}", run.path.string(), branch.images,
            branch.changes.empty() ? "" : ": ", text_of(branch.changes), aside.string());
}

}  // namespace edmund
