#include "branches.h"
#include "diverged.h"
#include "edmund/app/run.h"
#include "edmund/core/error.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/left_over.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/core/save_request.h"
#include "edmund/core/stop.h"
#include "edmund/core/stopwatch.h"
#include "edmund/core/text.h"
#include "edmund/data/image_check.h"
#include "edmund/io/event_file.h"
#include "edmund/ops/ops.h"
#include "edmund/training/checkpoint.h"
#include "recorder.h"
#include "starting_weights.h"
#include "train_data.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

namespace edmund {
namespace {

void warn_of_sigma_data(const Experiment& experiment) {
  Options preconditioning = Options(experiment.config.options).child("preconditioning");
  const auto assumed = parse_real(preconditioning.value("sigma_data"));  // as construct() read it
  if (!assumed) return;
  const double measured = statistics(*experiment.data, 2000).std;
  if (const std::string remark = sigma_data_remark(*assumed, measured); !remark.empty()) log::warn("{}", remark);
}

// Goes on from a checkpoint. Returns its counters.
std::map<std::string, double> restored(Trainer& trainer, const RunFolder& run, const std::filesystem::path& folder) {
  Checkpoint state = load_checkpoint(folder);
  if (branch_at(branches_of(run), state.images) != nullptr) {
    // How losses were, and what went wrong, was so with other settings.
    for (const char* of : {"trend.", "streak.", "loss_scale.", "micro_batch"})
      std::erase_if(state.counters, [&](const auto& counter) { return counter.first.starts_with(of); });
    state.fault.clear();
  }
  trainer.restore(state);
  log::info("going on from {} ({} images)", folder.string(), trainer.images());
  return state.counters;
}

// Whether to stop, so that what is done is saved within the time that was given.
class TimeLimit {
 public:
  TimeLimit(double seconds, const Stopwatch& watch) : seconds_(seconds), watch_(watch) {}

  /// After a step, with what followed it: the next may take as long as the longest so far, and then
  /// there is a checkpoint to write.
  bool reached(double seconds_to_save) {
    longest_ = std::max(longest_, since_.seconds());
    since_ = {};
    return seconds_ > 0.0 && watch_.seconds() + longest_ + seconds_to_save >= seconds_;
  }

 private:
  double seconds_, longest_ = 0.0;
  const Stopwatch& watch_;
  Stopwatch since_;
};

}  // namespace

void check_run(const Experiment& experiment, const RunFolder& run) {
  checked_data(experiment, newest_checkpoint(run.path));
}

ExitCode train_run(Experiment& experiment, const RunFolder& run) {
  const Stopwatch watch;
  sweep_checkpoints(run.path);
  const auto newest = newest_checkpoint(run.path);
  CheckedData data = checked_data(experiment, newest);  // before anything is made
  make_folder(run.images());
  for (const auto& folder : {run.path, run.images(), run.path / "averages"}) delete_left_over(folder);
  log::to_file(run.path / "log.txt");
  log::info("kernels: {}", ops::kernels_text());
  if (!newest) initialize(experiment);
  Trainer trainer(experiment.objective(experiment.model), model_like(experiment).shared_network(), experiment.ema,
                  experiment.config.training);
  std::map<std::string, double> counters;
  if (newest) {
    counters = restored(trainer, run, *newest);
  } else {
    delete_event_files(run.path / "events");
    warn_of_sigma_data(experiment);
  }
  write_file(run.config(), experiment.config.options.chosen());
  write_file(run.resolved(), "# All values in use, for readers; what was chosen stands in config.yaml.\n" +
                                 experiment.config.options.resolved());

  const std::int64_t total = experiment.config.training.images;
  Recorder recorder(experiment, run, trainer, counters, newest ? trainer.images() : -1, std::move(data));
  LoaderSettings settings = experiment.config.loader;
  settings.start = trainer.images();
  Loader loader(*experiment.data, settings);
  const StopRequest stop;
  const std::int64_t left = std::max<std::int64_t>(total - trainer.images(), 0), batch = settings.batch_size;
  // the last batch is whole
  Progress progress("training", "images", trainer.images() + (left + batch - 1) / batch * batch, trainer.images());
  Stopwatch since_log;
  std::int64_t logged_images = trainer.images();
  const auto seconds = [&] { return recorder.metrics().seconds_before() + watch.seconds(); };
  drop_averages(run.path, newest ? trainer.images() : -1);
  std::int64_t averaged = trainer.images();  // position of the last averages that were kept
  const auto next_batch = [&] {
    try {
      return loader.next();
    } catch (const Error&) {  // an image is damaged or gone: what was reached stays
      progress.finish();
      if (trainer.images() > 0) recorder.checkpoint(seconds());
      throw;
    }
  };

  // A checkpoint may have been the last thing that was done before a stop.
  const std::int64_t every = experiment.config.intervals.checkpoint;
  if (newest && due(trainer.images() - settings.batch_size, trainer.images(), every)) recorder.validate();

  TimeLimit limit(experiment.config.max_walltime, watch);
  bool in_time = true;
  try {
    while (trainer.images() < total && !recorder.enough() && !StopRequest::requested() && in_time) {
      const std::int64_t before = trainer.images();
      recorder.metrics().add(trainer.step(next_batch()));
      const std::int64_t now = trainer.images();
      progress.update(now, format("loss {}", std::round(recorder.metrics().mean_loss() * 1e4) / 1e4));
      if (due(before, now, experiment.config.intervals.log) || now >= total) {
        recorder.log(static_cast<double>(now - logged_images) / std::max(since_log.seconds(), 1e-9), seconds());
        since_log = {};
        logged_images = now;
      }
      if (due(before, now, experiment.config.intervals.samples) && now < total) recorder.samples();
      if (due(before, now, experiment.config.intervals.averages) && recorder.keep_averages()) averaged = now;
      const bool regular = due(before, now, every) && now < total;
      recorder.look_after_checkpoint();
      if (regular) {
        recorder.finish_checkpoint();  // what it deletes must not depend on what is measured now
        recorder.validate();
      }
      if (regular || recorder.again()) recorder.begin_checkpoint(seconds());
      if (take_save_request()) {
        recorder.checkpoint(seconds());
        if (recorder.saved() == now) log::info("saved at {} of {} images", now, total);
      }
      if (recorder.given_up()) break;
      in_time = !limit.reached(recorder.seconds_to_save());
    }
    progress.finish();
    const bool done = trainer.images() >= total || recorder.enough();
    if (done) recorder.validate();
    if (done && averaged != trainer.images()) recorder.keep_averages();
    recorder.finish_checkpoint();
    if (!recorder.given_up()) recorder.checkpoint(seconds(), DiskGuard::Tries::kAll);
    if (const std::int64_t saved = recorder.saved(); saved != trainer.images()) {
      log::warn(
          "no checkpoint could be written at {} images; the last one is of {} (make room on the disk: the same command "
          "goes on from there)",
          trainer.images(), std::max<std::int64_t>(saved, 0));
      return kDiskFailed;
    }
    if (!done) {
      log::info("stopped at {} of {} images{}; the same command goes on from there", trainer.images(), total,
                in_time ? "" : " by training.max_walltime");
      return ExitCode::kInterrupted;
    }
  } catch (const Diverged& reason) {
    progress.finish();
    recorder.finish_checkpoint();
    throw Error(told_divergence(experiment, run, trainer, reason));
  }
  if (trainer.images() < total)
    log::info("ended at {} of {} images: no lower validation loss in {} images", trainer.images(), total,
              experiment.config.validation.patience);
  recorder.samples();
  recorder.trajectory();
  return ExitCode::kDone;
}

}  // namespace edmund
