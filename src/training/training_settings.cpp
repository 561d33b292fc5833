#include "edmund/core/text.h"
#include "edmund/training/objective.h"
#include "edmund/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

namespace edmund {
namespace {

// with the EMA as many as a GPU's one pass over memory takes
constexpr std::size_t kMostTracks = 7;

// Whether a number stands at the key, wherever the mapping lies in its document.
bool is_number(const Options& options, std::string_view key) {
  const auto values = options.flattened();
  return std::ranges::any_of(values, [&](const auto& entry) {
    const std::string& path = entry.first;
    return (path == key || path.ends_with(format(".{}", key))) && parse_real(entry.second);
  });
}

// A number, which is the short form of {type: fixed, factor: NUMBER}, or a mapping.
void read_loss_scale(Options& options, TrainingSettings& settings) {
  constexpr std::string_view kKey = "loss_scale";
  constexpr std::string_view kAbout = "factor on the loss before gradients are taken; a number: of type fixed";
  if (is_number(options, kKey)) {
    settings.loss_scale = options.real(kKey, settings.loss_scale, above(0.0), kAbout);
    return;
  }
  Options scale = options.child(kKey, kAbout);
  const bool dynamic = scale.choice("type", "fixed", {"dynamic", "fixed"},
                                    "one factor, which stays in the gradients (Karras et al.), or one that follows "
                                    "them and is taken off again") == "dynamic";
  const double factor = scale.real("factor", settings.loss_scale, above(0.0), "of type fixed");
  DynamicScale out;
  out.initial = scale.real("initial", out.initial, at_least(1.0), "factor at the start, of type dynamic");
  out.growth = scale.real("growth", out.growth, at_least(1.0), "factor on it after `interval` finite gradients");
  out.back_off = scale.real("back_off", out.back_off, inside(0.0, 1.0),
                            "factor on it where a gradient is not finite; the step is skipped");
  out.interval = scale.integer("interval", out.interval, at_least(1.0), "steps with finite gradients until it grows");
  out.lowest = scale.real("lowest", out.lowest, above(0.0), "beyond which it does not back off");
  settings.loss_scale = factor;
  if (dynamic) settings.dynamic_scale = out;
}

}  // namespace

TrainingSettings training_settings(Options& options) {
  TrainingSettings settings;
  settings.images = options.integer("images", settings.images, at_least(0.0),
                                    "length of the run, in images learned from (with repetition)");
  settings.batch_size =
      options.integer("batch_size", settings.batch_size, between(1.0, 1 << 20), "images of an optimizer step");
  settings.micro_batch = options.integer("micro_batch", settings.micro_batch, at_least(0.0),
                                         "images at once, the rest of the batch after; 0: all");
  settings.learning_rate = make_learning_rate(options);
  const double batches = options.real("learning_rate_decay_batches", 0.0, at_least(0.0),
                                      "learning_rate_decay in batches of batch_size, as EDM2 counts; 0: none");
  options.check(
      batches == 0.0 || (settings.learning_rate.decay_images == 0.0 && settings.learning_rate.cosine_images == 0.0),
      "learning_rate_decay_batches", "expected 0 beside another decay: one or the other");
  if (batches > 0.0) settings.learning_rate.decay_images = batches * static_cast<double>(settings.batch_size);
  settings.beta1 = options.real("beta1", settings.beta1, {.low = 0.0, .high = 1.0, .open_high = true},
                                "Adam's decay of the gradient's mean");
  settings.beta2 = options.real("beta2", settings.beta2, {.low = 0.0, .high = 1.0, .open_high = true},
                                "Adam's decay of the gradient's square");
  settings.eps = options.real("eps", settings.eps, above(0.0), "Adam's term beside the root");
  settings.weight_decay = options.real("weight_decay", settings.weight_decay, at_least(0.0),
                                       "share of a weight that a step at rate 1 takes off (AdamW)");
  settings.clip_norm =
      options.real("clip_norm", settings.clip_norm, at_least(0.0), "gradients are scaled down to this norm; 0: never");
  read_loss_scale(options, settings);
  settings.nonfinite = options.choice("nonfinite", "skip", {"skip", "zero"},
                                      "gradients that are not finite: skip the step, or count them as 0") == "zero"
                           ? NonFinite::kZero
                           : NonFinite::kSkip;
  settings.max_skipped = options.integer("max_skipped", settings.max_skipped, at_least(1.0),
                                         "steps in a row that go wrong before the run stops");
  settings.max_rise =
      options.real("max_rise", settings.max_rise, at_least(0.0),
                   "times its lowest that the loss, a mean over steps, may rise to before a step counts "
                   "as gone wrong; 0: any");
  options.check(!settings.dynamic_scale || settings.nonfinite == NonFinite::kSkip, "nonfinite",
                "expected skip beside a loss_scale of type dynamic, which backs off then");
  settings.ema_tracks = options.reals("ema_tracks", {}, inside(0.0, 1.0 / std::sqrt(12.0)),
                                      "relative widths of averages that are kept along, for `edmund ema`");
  std::vector<double> widths = settings.ema_tracks;
  std::ranges::sort(widths);
  options.check(std::ranges::adjacent_find(widths) == widths.end(), "ema_tracks", "the same width stands there twice");
  options.check(widths.size() <= kMostTracks, "ema_tracks", "expected at most {} widths, found {}", kMostTracks,
                widths.size());
  options.check(settings.micro_batch <= settings.batch_size, "micro_batch",
                "expected at most batch_size = {}, found {}", settings.batch_size, settings.micro_batch);
  return settings;
}

ObjectiveSettings objective_settings(Options& training) {
  ObjectiveSettings settings;
  settings.label_dropout = training.real("label_dropout", settings.label_dropout, between(0.0, 1.0),
                                         "share of labels that training drops, for guidance");
  settings.reduction = training.choice("reduction", "sum", {"mean", "sum"}, "over the pixels of an image") == "mean"
                           ? Reduction::kMean
                           : Reduction::kSum;
  settings.stratified =
      training.flag("stratified", settings.stratified, "one noise level from each of batch_size equal shares");
  settings.uncertainty = training.flag("uncertainty", settings.uncertainty,
                                       "weigh noise levels by a learned uncertainty u(σ): loss/e^u + u (EDM2)");
  settings.uncertainty_channels = training.integer("uncertainty_channels", settings.uncertainty_channels,
                                                   between(1.0, 65536.0), "random features of σ that u is linear in");
  settings.uncertainty_normalized =
      training.flag("uncertainty_normalized", settings.uncertainty_normalized,
                    "u starts random and its weight keeps its magnitude, as EDM2 has it; else it starts at 0");
  return settings;
}

}  // namespace edmund
