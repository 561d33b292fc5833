#include "recorder.h"

#include "edmund/app/adapter.h"
#include "edmund/app/curvature.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/log.h"
#include "edmund/core/stopwatch.h"
#include "edmund/generation/trajectory.h"
#include "edmund/io/image_io.h"
#include "edmund/networks/network.h"
#include "edmund/training/counters.h"

#include <algorithm>
#include <utility>

namespace edmund {
namespace {

// counter: length of the event file at a checkpoint
constexpr const char* kEventBytes = "event_bytes";

}  // namespace

Recorder::Recorder(Experiment& experiment, const RunFolder& run, Trainer& trainer,
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

void Recorder::log(double images_per_second, double seconds) {
  if (metrics_.empty()) return;
  events_.scalar("training/loss", metrics_.mean_loss(), trainer_.images());
  events_.scalar("training/learning_rate", metrics_.learning_rate(), trainer_.images());
  events_.scalar("training/gradient_norm", metrics_.mean_gradient_norm(), trainer_.images());
  events_.scalar("training/images_per_second", images_per_second, trainer_.images());
  add_bins(events_, "training", metrics_.bins(), trainer_.images());
  metrics_.write(images_per_second, seconds, trainer_.skipped());
  guard_.attempt("logging", [&] { events_.flush(), metrics_.flush(); });
}

void Recorder::samples() {
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

void Recorder::trajectory() {
  constexpr std::int64_t kRows = 4, kColumns = 9;
  ImageGenerator drawing = generator();
  const Tensor strip = edmund::trajectory(drawing, kRows, kColumns, experiment_.config.seed);
  guard_.attempt("a picture", [&] {
    write_png(run_.images() / "trajectory.png", image_grid(strip, kColumns, zoom(), 2));
    write_curvature(run_, drawing, kRows, experiment_.config.seed);
  });
}

bool Recorder::checkpoint(double seconds, DiskGuard::Tries tries) {
  // before what knows how long they are
  guard_.attempt("logging", [&] { metrics_.settle(trainer_.images(), seconds), events_.sync(); });
  if (!guard_.save([&] { save(); }, tries)) return false;
  if (const AdapterFile adapter = adapter_of(*trainer_.ema_network());
      !adapter.layers.empty() || !adapter.prefixes.empty())
    guard_.attempt("the adapter's file", [&] { write_adapter(run_.path / "adapter", adapter); });
  guard_.attempt("deleting old checkpoints",
                 [&] { prune_checkpoints(run_.path, experiment_.config.intervals.keep, validator_.best()); });
  return true;
}

void Recorder::save() {
  Checkpoint state = trainer_.checkpoint(config_);
  if (const std::string bad = nonfinite_tensor(state); !bad.empty())
    throw Diverged(Diverged::Cause::kWeights,
                   format("training: {} holds values that are not finite after {} images", bad, trainer_.images()));
  state.resolved = resolved_;
  state.data = data_;
  state.counters[kEventBytes] = static_cast<double>(events_.bytes());
  metrics_.save(state.counters);
  const auto folder = checkpoint_folder(run_.path, trainer_.images());
  save_checkpoint(folder, state);
  if (!state.fault.empty()) log::warn("{}: not healthy: {}", folder.string(), state.fault);
}

bool Recorder::keep_averages() {
  return experiment_.config.training.ema_tracks.empty() ||
         guard_.attempt("averages", [&] { save_averages(run_.path, trainer_.averages()); });
}

ImageGenerator Recorder::generator() {
  return {experiment_.model.on(trainer_.ema_network()), experiment_.sampling, experiment_.shape};
}

std::int64_t Recorder::zoom() const { return std::max<std::int64_t>(1, 32 / experiment_.shape.image.height); }

}  // namespace edmund
