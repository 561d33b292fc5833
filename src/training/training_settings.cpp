#include "edmund/training/objective.h"
#include "edmund/training/trainer.h"

namespace edmund {

TrainingSettings training_settings(Options& options) {
  TrainingSettings settings;
  settings.images = options.integer("images", settings.images, at_least(0.0));
  settings.batch_size = options.integer("batch_size", settings.batch_size, between(1.0, 1 << 20));
  settings.micro_batch = options.integer("micro_batch", settings.micro_batch, at_least(0.0));
  settings.learning_rate = make_learning_rate(options);
  settings.beta1 = options.real("beta1", settings.beta1, {.low = 0.0, .high = 1.0, .open_high = true});
  settings.beta2 = options.real("beta2", settings.beta2, {.low = 0.0, .high = 1.0, .open_high = true});
  settings.eps = options.real("eps", settings.eps, above(0.0));
  settings.weight_decay = options.real("weight_decay", settings.weight_decay, at_least(0.0));
  settings.clip_norm = options.real("clip_norm", settings.clip_norm, at_least(0.0));
  settings.loss_scale = options.real("loss_scale", settings.loss_scale, above(0.0));
  settings.nonfinite =
      options.choice("nonfinite", "skip", {"skip", "zero"}) == "zero" ? NonFinite::kZero : NonFinite::kSkip;
  settings.max_skipped = options.integer("max_skipped", settings.max_skipped, at_least(1.0));
  options.check(settings.micro_batch <= settings.batch_size, "micro_batch",
                "expected at most batch_size = {}, found {}", settings.batch_size, settings.micro_batch);
  return settings;
}

ObjectiveSettings objective_settings(Options& training) {
  ObjectiveSettings settings;
  settings.label_dropout = training.real("label_dropout", settings.label_dropout, between(0.0, 1.0));
  settings.reduction =
      training.choice("reduction", "sum", {"mean", "sum"}) == "mean" ? Reduction::kMean : Reduction::kSum;
  settings.stratified = training.flag("stratified", settings.stratified);
  settings.uncertainty = training.flag("uncertainty", settings.uncertainty);
  return settings;
}

}  // namespace edmund
