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
#include <chrono>
#include <utility>

namespace edmund {
namespace {

// counter: length of the event file at a checkpoint
constexpr const char* kEventBytes = "event_bytes";

// Seconds that it took.
double written(const PackedCheckpoint& state) {
  const Stopwatch watch;
  state.write();
  return watch.seconds();
}

}  // namespace

Recorder::Recorder(Experiment& experiment, const RunFolder& run, Trainer& trainer,
                   const std::map<std::string, double>& counters, std::int64_t saved, CheckedData data)
    : experiment_(experiment),
      run_(run),
      trainer_(trainer),
      events_(run.path / "events", static_cast<std::int64_t>(counter(counters, kEventBytes))),
      metrics_(run.metrics(), trainer.clock(), trainer.images()),
      validator_(experiment, run, trainer, std::move(data.held_out)),
      config_(experiment.config.options.chosen()),
      resolved_(experiment.config.options.resolved()),
      data_(std::move(data.fingerprint)),
      guard_(experiment.config.intervals.save_patience, [watch = Stopwatch()] { return watch.seconds(); }),
      saved_(saved) {
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

void Recorder::settle(double seconds) {
  // before what knows how long they are
  guard_.attempt("logging", [&] { metrics_.settle(trainer_.images(), seconds), events_.sync(); });
}

void Recorder::save(std::int64_t images, const std::function<void()>& write, DiskGuard::Tries tries) {
  if (!guard_.save(write, tries)) return;
  saved_ = images;
  after_checkpoint();
}

void Recorder::after_checkpoint() {
  if (const AdapterFile adapter = adapter_of(*trainer_.ema_network());
      !adapter.layers.empty() || !adapter.prefixes.empty())
    guard_.attempt("the adapter's file", [&] { write_adapter(run_.path / "adapter", adapter); });
  const RunConfig& config = experiment_.config;
  const auto is_planned = [&](std::int64_t images) {
    return images >= config.training.images ||
           due(images - config.loader.batch_size, images, config.intervals.checkpoint);
  };
  guard_.attempt("deleting old checkpoints", [&] {
    prune_checkpoints(run_.path, {.keep = config.intervals.keep, .also = validator_.best(), .is_planned = is_planned});
  });
}

void Recorder::begin_checkpoint(double seconds) {
  finish_checkpoint();
  settle(seconds);
  being_written_ = trainer_.images();
  writing_ = std::async(std::launch::async, [state = packed()] { return written(state); });
}

void Recorder::look_after_checkpoint() {
  if (writing_.valid() && writing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) finish_checkpoint();
}

void Recorder::finish_checkpoint() {
  if (!writing_.valid()) return;
  const auto write = [&] { seconds_to_save_ = std::max(seconds_to_save_, writing_.get()); };
  save(being_written_, write, DiskGuard::Tries::kOne);
}

void Recorder::checkpoint(double seconds, DiskGuard::Tries tries) {
  finish_checkpoint();
  if (saved_ == trainer_.images()) return after_checkpoint();  // a process may have died before
  settle(seconds);
  const PackedCheckpoint state = packed();
  const auto write = [&] { state.write(); };
  save(trainer_.images(), write, tries);
}

PackedCheckpoint Recorder::packed() {
  Checkpoint state = trainer_.checkpoint(config_);
  state.resolved = resolved_;
  state.data = data_;
  state.counters[kEventBytes] = static_cast<double>(events_.bytes());
  metrics_.save(state.counters);
  PackedCheckpoint out(checkpoint_folder(run_.path, trainer_.images()), state);
  if (!out.nonfinite().empty())
    throw Diverged(Diverged::Cause::kWeights, format("training: {} holds values that are not finite after {} images",
                                                     out.nonfinite(), trainer_.images()));
  if (!state.fault.empty()) log::warn("{}: not healthy: {}", out.folder().string(), state.fault);
  return out;
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
