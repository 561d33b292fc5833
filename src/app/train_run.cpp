#include "edmund/app/curvature.h"
#include "edmund/app/generate.h"
#include "edmund/app/run.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/core/stop.h"
#include "edmund/io/event_file.h"
#include "edmund/io/image_io.h"
#include "edmund/ops/ops.h"
#include "edmund/training/metrics_log.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace edmund {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

// Image counts at which something is due: multiples of `every`, seen by a batch that passes one.
bool due(std::int64_t before, std::int64_t after, std::int64_t every) {
  return every > 0 && before / every != after / every;
}

std::string padded(std::int64_t images) {
  std::string digits = std::to_string(images);
  return std::string(digits.size() < 12 ? 12 - digits.size() : 0, '0') + digits;
}

// Everything that a run writes, kept together.
class Recorder {
 public:
  Recorder(Experiment& experiment, const RunFolder& run, Trainer& trainer)
      : experiment_(experiment),
        run_(run),
        trainer_(trainer),
        events_(run.path / "events"),
        metrics_(run.metrics(), trainer.clock(), trainer.images()),
        config_(experiment.options.resolved()) {}

  void log(double images_per_second, double seconds) {
    if (metrics_.empty()) return;
    events_.scalar("training/loss", metrics_.mean_loss(), trainer_.images());
    events_.scalar("training/images_per_second", images_per_second, trainer_.images());
    metrics_.write(images_per_second, seconds, trainer_.skipped());
  }

  void samples() {
    const std::int64_t columns =
        experiment_.shape.num_classes > 0 ? std::min<std::int64_t>(experiment_.shape.num_classes, 20) : 8;
    const auto images = consecutive(0, columns * experiment_.intervals.sample_rows);
    Tensor labels = balanced_labels(experiment_.shape, images);
    if (labels.defined()) labels.remainder_(columns);
    const Generated drawn = generate(experiment_.model.on(trainer_.ema_network()), experiment_.sampling,
                                     experiment_.shape, images, labels, experiment_.seed);
    const std::int64_t zoom = std::max<std::int64_t>(1, 32 / experiment_.shape.image.height);
    const Tensor grid = image_grid(drawn.images, columns, zoom, 2);
    write_png(run_.images() / ("samples-" + padded(trainer_.images()) + ".png"), grid);
    events_.image("samples", png_bytes(grid), grid.size(2), grid.size(1), grid.size(0), trainer_.images());
  }

  void checkpoint(double seconds) {
    Checkpoint state = trainer_.checkpoint(config_);
    state.counters["seconds"] = seconds;
    const auto folder = run_.path / "checkpoints" / padded(trainer_.images());
    save_checkpoint(folder, state);
    trainer_.note_checkpoint(folder);
    prune_checkpoints(run_.path, experiment_.intervals.keep);
  }

  MetricsLog& metrics() { return metrics_; }

 private:
  Experiment& experiment_;
  RunFolder run_;
  Trainer& trainer_;
  EventFile events_;
  MetricsLog metrics_;
  std::string config_;
};

void warn_of_sigma_data(const Experiment& experiment) {
  Options preconditioning = Options(experiment.options).child("preconditioning");
  if (preconditioning.text("type", "edm") != "edm") return;  // reading sigma_data would make it a key of the config
  const double assumed = preconditioning.real("sigma_data", 0.5);
  const double measured = statistics(*experiment.data, 2000).std;
  if (std::abs(assumed / measured - 1) > 0.2)
    log::warn(
        "preconditioning.sigma_data is {}, but the images' standard deviation is {}; results suffer when they are far "
        "apart",
        assumed, std::round(measured * 1000) / 1000);
}

}  // namespace

ExitCode train_run(Experiment& experiment, const RunFolder& run) {
  make_folder(run.images());
  log::to_file(run.path / "log.txt");
  log::info("kernels: {}", ops::kernels_text());
  Trainer trainer(experiment.objective(experiment.model), model_like(experiment).shared_network(), experiment.ema,
                  experiment.training);
  double seconds_before = 0.0;
  std::int64_t saved = -1;  // position of the last checkpoint
  if (const auto newest = newest_checkpoint(run.path)) {
    const Checkpoint state = load_checkpoint(*newest);
    trainer.restore(state);
    trainer.note_checkpoint(*newest);
    saved = trainer.images();
    if (const auto found = state.counters.find("seconds"); found != state.counters.end())
      seconds_before = found->second;
    log::info("going on from {} ({} images)", newest->string(), trainer.images());
  } else {
    warn_of_sigma_data(experiment);
  }
  write_file(run.config(), experiment.options.resolved());

  const std::int64_t total = experiment.training.images;
  Recorder recorder(experiment, run, trainer);
  LoaderSettings settings = experiment.loader;
  settings.start = trainer.images();
  Loader loader(*experiment.data, settings);
  const StopRequest stop;
  Progress progress("training", "images", total, trainer.images());
  const auto began = Clock::now();
  auto logged = began;
  std::int64_t logged_images = trainer.images();
  const auto seconds = [&] { return seconds_before + seconds_since(began); };

  while (trainer.images() < total && !StopRequest::requested()) {
    const std::int64_t before = trainer.images();
    recorder.metrics().add(trainer.step(loader.next()));
    const std::int64_t now = trainer.images();
    progress.update(now, format("loss {}", std::round(recorder.metrics().mean_loss() * 1e4) / 1e4));
    if (due(before, now, experiment.intervals.log) || now >= total) {
      recorder.log(static_cast<double>(now - logged_images) / std::max(seconds_since(logged), 1e-9), seconds());
      logged = Clock::now();
      logged_images = now;
    }
    if (due(before, now, experiment.intervals.samples) && now < total) recorder.samples();
    if (due(before, now, experiment.intervals.checkpoint) && now < total) {
      recorder.checkpoint(seconds());
      saved = now;
    }
  }
  progress.finish();
  if (saved != trainer.images()) recorder.checkpoint(seconds());
  if (trainer.images() < total) {
    log::info("stopped at {} of {} images; the same command goes on from there", trainer.images(), total);
    return ExitCode::kInterrupted;
  }
  recorder.samples();
  const DenoisingModel ema_model = experiment.model.on(trainer.ema_network());
  const std::int64_t columns = 9;
  const Tensor strip = trajectory(ema_model, experiment.sampling, experiment.shape, 4, columns, experiment.seed);
  write_png(run.images() / "trajectory.png",
            image_grid(strip, columns, std::max<std::int64_t>(1, 32 / experiment.shape.image.height), 2));
  write_curvature(run, ema_model, experiment.sampling, experiment.shape, 4, experiment.seed);
  return ExitCode::kDone;
}

}  // namespace edmund
