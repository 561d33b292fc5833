#include "validator.h"

#include "edmund/app/evaluation.h"
#include "edmund/core/log.h"
#include "edmund/data/image_source.h"
#include "edmund/ops/threads.h"

#include <cmath>

namespace edmund {

void add_bins(EventFile& events, std::string_view what, const LossBins& loss, std::int64_t position) {
  for (const auto& bin : loss.filled())
    events.scalar(format("{}/loss at {} {}", what, loss.clock(), std::round(bin.center * 1e4) / 1e4), bin.loss,
                  position);
}

std::unique_ptr<Dataset> validation_data(const Experiment& experiment) {
  if (experiment.config.validation.images == 0) return nullptr;
  auto out = held_out_data(experiment);
  const DatasetInfo info = out->info();
  require_model_size(info, experiment.shape, "evaluation.held_out");
  require(experiment.shape.num_classes == 0 || info.class_names == experiment.shape.class_names,
          "evaluation.held_out: {} has other classes than the training's data", info.name);
  return out;
}

Validator::Validator(const Experiment& experiment, const RunFolder& run, const Trainer& trainer,
                     std::unique_ptr<Dataset> held_out)
    : trainer_(trainer),
      settings_(experiment.config.validation),
      batch_(experiment.config.training.batch_size),
      held_out_(std::move(held_out)),
      log_(run.path / "validation.jsonl", trainer.images()) {
  if (!held_out_) return;
  images_ = chosen_indices(held_out_->info().size, settings_.images, experiment.config.seed);
  objective_ = experiment.objective(experiment.model.on(trainer.ema_network()));
}

void Validator::measure(EventFile& events) {
  const std::int64_t position = trainer_.images();
  if (!held_out_ || log_.has(position)) return;
  const ops::LibraryThreads library(ops::kLibraryThreads);  // as in training
  const LossBins loss = validation_loss(*objective_, *held_out_, images_, batch_);
  events.scalar("validation/loss", loss.mean(), position);
  add_bins(events, "validation", loss, position);
  log_.add(position, loss);
  const auto lowest = log_.best(1);
  log::info("validation: loss {} of {} images of {}{}", std::round(loss.mean() * 1e4) / 1e4, images_.size(),
            held_out_->info().name, !lowest.empty() && lowest.front() == position ? ", the lowest so far" : "");
}

}  // namespace edmund
