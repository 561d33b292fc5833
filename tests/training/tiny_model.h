#pragma once

#include "edmund/diffusion/model.h"
#include "edmund/networks/song_unet.h"
#include "edmund/training/objective.h"
#include "edmund/training/trainer.h"

#include <algorithm>
#include <ATen/ops/arange.h>
#include <ATen/ops/remainder.h>
#include <ATen/Parallel.h>
#include <memory>
#include <numeric>
#include <string>
#include <utility>

namespace edmund::testing {

/// A network of 8 × 8 images in two channels that trains in milliseconds.
inline DenoisingModel tiny_model(std::int64_t num_classes = 3, double dropout = 0.1, std::uint64_t seed = 1) {
  const auto network = std::make_shared<SongUNet>(SongUNet::Config{.resolution = 8,
                                                                   .in_channels = 2,
                                                                   .out_channels = 2,
                                                                   .num_classes = num_classes,
                                                                   .channels = 8,
                                                                   .multipliers = {1, 2},
                                                                   .blocks = 1,
                                                                   .attention = {4},
                                                                   .dropout = dropout});
  network->initialize(seed);
  Options options;
  return {network, make_preconditioning(options), [](const Tensor&) { return Tensor(); }};
}

/// Everything that a tiny training is told.
struct TinySettings : TrainingSettings {
  ObjectiveSettings objective;
  std::int64_t num_classes = 3;
  std::uint64_t seed = 7;
};

inline TinySettings tiny_settings() {
  TinySettings settings;
  settings.batch_size = 8;
  settings.learning_rate = {.base = 1e-2, .ramp_images = 16};
  settings.objective.label_dropout = 0.3;
  return settings;
}

/// An objective by its name, on a model. `levels`: lognormal where none are given.
inline std::unique_ptr<Trainable> tiny_objective(const DenoisingModel& model, const TinySettings& settings,
                                                 const std::string& type = "denoise", NoiseLevels levels = {}) {
  Options level_options, options = Options::read_text("{type: " + type + "}", "objective");
  if (!levels) levels = make_noise_levels(level_options);
  const Objective objective = make_objective(options, {.settings = settings.objective,
                                                       .levels = levels,
                                                       .batch_size = settings.batch_size,
                                                       .num_classes = settings.num_classes,
                                                       .seed = settings.seed});
  options.finish();
  return objective(model);
}

inline EmaDecay tiny_ema(const std::string& text = "{half_life: 100, ramp: 1}") {
  Options options = Options::read_text(text, "ema");
  return make_ema(options);
}

inline Trainer tiny_trainer(std::unique_ptr<Trainable> objective, const TinySettings& settings,
                            const std::string& ema = "{half_life: 100, ramp: 1}") {
  at::set_num_threads(1);  // small tensors: threads would wait for each other most of the time
  return {std::move(objective), tiny_model(settings.num_classes, 0.0, 2).shared_network(), tiny_ema(ema), settings};
}

inline Trainer tiny_trainer(const TinySettings& settings, double dropout = 0.1,
                            const std::string& ema = "{half_life: 100, ramp: 1}", std::uint64_t seed = 1) {
  return tiny_trainer(tiny_objective(tiny_model(settings.num_classes, dropout, seed), settings), settings, ema);
}

/// The batch at a position of an endless sequence of images: bytes that are a function of the
/// position alone.
inline TrainingBatch tiny_batch(std::int64_t first, std::int64_t size, std::int64_t num_classes = 3) {
  TrainingBatch batch;
  batch.positions.resize(static_cast<std::size_t>(size));
  std::iota(batch.positions.begin(), batch.positions.end(), first);
  const Tensor position = at::arange(first, first + size, at::kLong);
  const Tensor pixel = at::arange(2 * 8 * 8, at::kLong).view({1, 2, 8, 8});
  batch.images =
      at::remainder(pixel * (position.view({-1, 1, 1, 1}) % 5 + 1) * 7 + position.view({-1, 1, 1, 1}) * 31, 256)
          .to(at::kByte);
  batch.labels = at::remainder(position, std::max<std::int64_t>(num_classes, 1));
  return batch;
}

/// Takes steps up to a position.
inline std::vector<StepReport> train_until(Trainer& trainer, std::int64_t images, std::int64_t batch = 8) {
  std::vector<StepReport> reports;
  while (trainer.images() < images) reports.push_back(trainer.step(tiny_batch(trainer.images(), batch)));
  return reports;
}

}  // namespace edmund::testing
