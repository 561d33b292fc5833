#include "disk_guard.h"
#include "edmund/app/adapter.h"
#include "edmund/app/curvature.h"
#include "edmund/app/run.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/left_over.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/core/stop.h"
#include "edmund/core/stopwatch.h"
#include "edmund/core/text.h"
#include "edmund/data/image_check.h"
#include "edmund/generation/trajectory.h"
#include "edmund/io/event_file.h"
#include "edmund/io/image_io.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "edmund/ops/ops.h"
#include "edmund/training/metrics_log.h"
#include "train_data.h"
#include "validator.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

namespace edmund {
namespace {

// Image counts at which something is due: multiples of `every`, seen by a batch that passes one.
bool due(std::int64_t before, std::int64_t after, std::int64_t every) {
  return every > 0 && before / every != after / every;
}

// counter: length of the event file at a checkpoint
constexpr const char* kEventBytes = "event_bytes";

double counter(const std::map<std::string, double>& counters, const char* name) {
  const auto found = counters.find(name);
  return found == counters.end() ? 0.0 : found->second;
}

// Everything that a run writes, kept together. What it has gathered is part of a checkpoint, so
// that logs are those of an uninterrupted run. A disk that does not take it ends no training.
class Recorder {
 public:
  // `counters`: of the checkpoint that the trainer goes on from, if it does.
  Recorder(Experiment& experiment, const RunFolder& run, Trainer& trainer,
           const std::map<std::string, double>& counters, DataFingerprint data)
      : experiment_(experiment),
        run_(run),
        trainer_(trainer),
        events_(run.path / "events", static_cast<std::int64_t>(counter(counters, kEventBytes))),
        metrics_(run.metrics(), trainer.clock(), trainer.images()),
        validator_(experiment, run, trainer),
        config_(experiment.config.options.chosen()),
        resolved_(experiment.config.options.resolved()),
        data_(std::move(data)),
        guard_(experiment.config.intervals.save_patience, [watch = Stopwatch()] { return watch.seconds(); }) {
    metrics_.restore(counters);
  }

  void log(double images_per_second, double seconds) {
    if (metrics_.empty()) return;
    events_.scalar("training/loss", metrics_.mean_loss(), trainer_.images());
    events_.scalar("training/learning_rate", metrics_.learning_rate(), trainer_.images());
    events_.scalar("training/gradient_norm", metrics_.mean_gradient_norm(), trainer_.images());
    events_.scalar("training/images_per_second", images_per_second, trainer_.images());
    add_bins(events_, "training", metrics_.bins(), trainer_.images());
    metrics_.write(images_per_second, seconds, trainer_.skipped());
    guard_.attempt("logging", [&] { events_.flush(), metrics_.flush(); });
  }

  void samples() {
    // one column a class, of those that have images; the first rounds of an even draw
    const auto& counts = experiment_.shape.class_counts;
    const std::int64_t classes = counts.empty()
                                     ? experiment_.shape.num_classes
                                     : std::ranges::count_if(counts, [](std::int64_t count) { return count > 0; });
    const std::int64_t columns = experiment_.shape.num_classes > 0 ? std::clamp<std::int64_t>(classes, 1, 20) : 8;
    const auto images = consecutive(0, columns * experiment_.config.intervals.sample_rows);
    Tensor labels = class_labels(experiment_.shape, ClassRule::kEven, consecutive(0, columns));
    if (labels.defined()) labels = labels.repeat({experiment_.config.intervals.sample_rows});
    // Whole, if the process is asked to stop: what comes after this position goes on without it.
    const Generated drawn = generator().draw(images, labels, experiment_.config.seed, {.whole = true});
    const Tensor grid = image_grid(drawn.images, columns, zoom(), 2);
    const std::string number = checkpoint_folder(run_.path, trainer_.images()).filename().string();
    guard_.attempt("a picture", [&] { write_png(run_.images() / ("samples-" + number + ".png"), grid); });
    events_.image("samples", png_bytes(grid), grid.size(2), grid.size(1), grid.size(0), trainer_.images());
  }

  void trajectory() {
    constexpr std::int64_t kRows = 4, kColumns = 9;
    ImageGenerator drawing = generator();
    const Tensor strip = edmund::trajectory(drawing, kRows, kColumns, experiment_.config.seed);
    guard_.attempt("a picture", [&] {
      write_png(run_.images() / "trajectory.png", image_grid(strip, kColumns, zoom(), 2));
      write_curvature(run_, drawing, kRows, experiment_.config.seed);
    });
  }

  // Whether the disk took it; if not, it is due again() a minute later.
  bool checkpoint(double seconds, DiskGuard::Tries tries = DiskGuard::Tries::kOne) {
    // before what knows how long they are
    guard_.attempt("logging", [&] { events_.sync(), metrics_.sync(); });
    return kept(guard_.save([&] { save(seconds); }, tries));
  }
  bool again() const { return guard_.due(); }
  // Whether the disk has taken no checkpoint for too long.
  bool given_up() const { return guard_.exhausted(); }

  /// Before the checkpoint of the same moment, from which a run would go on without it.
  bool keep_averages() {
    return experiment_.config.training.ema_tracks.empty() ||
           guard_.attempt("averages", [&] { save_averages(run_.path, trainer_.averages()); });
  }

  void validate() {
    guard_.attempt("validation", [&] { validator_.measure(events_); });
  }
  /// Whether held-out images have told that training is to end.
  bool enough() const { return validator_.exhausted(); }

  MetricsLog& metrics() { return metrics_; }

 private:
  void save(double seconds) {
    Checkpoint state = trainer_.checkpoint(config_);
    state.resolved = resolved_;
    state.counters["seconds"] = seconds;
    state.data = data_;
    state.counters[kEventBytes] = static_cast<double>(events_.bytes());
    metrics_.save(state.counters);
    const auto folder = checkpoint_folder(run_.path, trainer_.images());
    save_checkpoint(folder, state);
    trainer_.note_checkpoint(folder);
  }

  // What comes after a checkpoint.
  bool kept(bool saved) {
    if (!saved) return false;
    if (const AdapterFile adapter = adapter_of(*trainer_.ema_network());
        !adapter.layers.empty() || !adapter.prefixes.empty())
      guard_.attempt("the adapter's file", [&] { write_adapter(run_.path / "adapter", adapter); });
    guard_.attempt("deleting old checkpoints",
                   [&] { prune_checkpoints(run_.path, experiment_.config.intervals.keep, validator_.best()); });
    return true;
  }

  // A new one each time: what it records would hold memory while training goes on.
  ImageGenerator generator() {
    return {experiment_.model.on(trainer_.ema_network()), experiment_.sampling, experiment_.shape};
  }
  std::int64_t zoom() const { return std::max<std::int64_t>(1, 32 / experiment_.shape.image.height); }

  Experiment& experiment_;
  RunFolder run_;
  Trainer& trainer_;
  EventFile events_;
  MetricsLog metrics_;
  Validator validator_;
  std::string config_, resolved_;
  DataFingerprint data_;
  DiskGuard guard_;
};

void warn_of_sigma_data(const Experiment& experiment) {
  Options preconditioning = Options(experiment.config.options).child("preconditioning");
  const auto assumed = parse_real(preconditioning.value("sigma_data"));  // as construct() read it
  if (!assumed) return;
  const double measured = statistics(*experiment.data, 2000).std;
  if (const std::string remark = sigma_data_remark(*assumed, measured); !remark.empty()) log::warn("{}", remark);
}

// The weights that a new run starts from.
void initialize(Experiment& experiment) {
  Network& network = experiment.model.network();
  network.initialize(experiment.config.seed);
  const StartingWeights& init = experiment.config.init;
  if (init.from.empty()) return;
  const auto folder = find_checkpoint(init.from).folder;
  const Checkpoint state = load_weights(folder, init.ema);
  NamedTensors weights = init.ema ? state.ema : state.network;
  // an adapter's, which the run that it starts from has not
  for (const auto& own : state_dict(network))
    if (own.first.find(".lora_") != std::string::npos || own.first.find(".prefix.") != std::string::npos)
      weights.push_back(own);
  load_state(network, weights, folder.string());
  log::info("starting from the {} weights of {} ({} images)", init.ema ? "averaged" : "raw", folder.string(),
            state.images);
}

// Goes on from a checkpoint. Returns its counters.
std::map<std::string, double> restored(Trainer& trainer, const std::filesystem::path& folder) {
  const Checkpoint state = load_checkpoint(folder);
  trainer.restore(state);
  trainer.note_checkpoint(folder);
  log::info("going on from {} ({} images)", folder.string(), trainer.images());
  return state.counters;
}

}  // namespace

ExitCode train_run(Experiment& experiment, const RunFolder& run) {
  make_folder(run.images());
  sweep_checkpoints(run.path);
  for (const auto& folder : {run.path, run.images(), run.path / "averages"}) delete_left_over(folder);
  log::to_file(run.path / "log.txt");
  log::info("kernels: {}", ops::kernels_text());
  const auto newest = newest_checkpoint(run.path);
  const DataFingerprint data = checked_data(experiment, newest);
  if (!newest) initialize(experiment);
  Trainer trainer(experiment.objective(experiment.model), model_like(experiment).shared_network(), experiment.ema,
                  experiment.config.training);
  std::map<std::string, double> counters;
  std::int64_t saved = -1;  // position of the last checkpoint
  if (newest) {
    counters = restored(trainer, *newest);
    saved = trainer.images();
  } else {
    delete_event_files(run.path / "events");
    warn_of_sigma_data(experiment);
  }
  write_file(run.config(), experiment.config.options.chosen());
  write_file(run.resolved(), "# All values in use, for readers; what was chosen stands in config.yaml.\n" +
                                 experiment.config.options.resolved());

  const std::int64_t total = experiment.config.training.images;
  Recorder recorder(experiment, run, trainer, counters, data);
  LoaderSettings settings = experiment.config.loader;
  settings.start = trainer.images();
  Loader loader(*experiment.data, settings);
  const StopRequest stop;
  Progress progress("training", "images", total, trainer.images());
  const Stopwatch watch;
  Stopwatch since_log;
  std::int64_t logged_images = trainer.images();
  const auto seconds = [&] { return counter(counters, "seconds") + watch.seconds(); };
  drop_averages(run.path, newest ? trainer.images() : -1);
  std::int64_t averaged = trainer.images();  // position of the last averages that were kept
  const auto next_batch = [&] {
    try {
      return loader.next();
    } catch (const Error&) {  // an image is damaged or gone: what was reached stays
      progress.finish();
      if (saved != trainer.images() && trainer.images() > 0) recorder.checkpoint(seconds());
      throw;
    }
  };

  // A checkpoint may have been the last thing that was done before a stop.
  const std::int64_t every = experiment.config.intervals.checkpoint;
  if (newest && due(trainer.images() - settings.batch_size, trainer.images(), every)) recorder.validate();

  while (trainer.images() < total && !recorder.enough() && !StopRequest::requested()) {
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
    if (regular) recorder.validate();
    if ((regular || recorder.again()) && recorder.checkpoint(seconds())) saved = now;
    if (recorder.given_up()) break;
  }
  progress.finish();
  const bool done = trainer.images() >= total || recorder.enough();
  if (done) recorder.validate();
  if (done && averaged != trainer.images()) recorder.keep_averages();
  if (saved != trainer.images() && (recorder.given_up() || !recorder.checkpoint(seconds(), DiskGuard::Tries::kAll))) {
    log::warn(
        "no checkpoint could be written at {} images; the last one is of {} (free the disk; the same command "
        "goes on from there)",
        trainer.images(), std::max<std::int64_t>(saved, 0));
    return kDiskFailed;
  }
  if (!done) {
    log::info("stopped at {} of {} images; the same command goes on from there", trainer.images(), total);
    return ExitCode::kInterrupted;
  }
  if (trainer.images() < total)
    log::info("ended at {} of {} images: no lower validation loss in {} images", trainer.images(), total,
              experiment.config.validation.patience);
  recorder.samples();
  recorder.trajectory();
  return ExitCode::kDone;
}

}  // namespace edmund
