#pragma once

#include "edmund/core/options.h"
#include "edmund/data/dataset.h"
#include "edmund/data/loader.h"
#include "edmund/diffusion/model.h"
#include "edmund/diffusion/noise_levels.h"
#include "edmund/generation/sampling.h"
#include "edmund/training/trainer.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edmund {

/// What a training run writes and when (part of `training:`); counts are images.
struct Intervals {
  std::int64_t log = 0, checkpoint = 0, samples = 0;
  std::int64_t keep = 2;  // checkpoints
  std::int64_t sample_rows = 4;
};

/// A whole config, built: every plugin exists before the first batch is read.
struct Experiment {
  Options options;  // the document, for `resolved` and for features
  std::string name;
  std::uint64_t seed = 0;
  std::shared_ptr<Dataset> data;  // none if read for sampling only
  ModelShape shape;
  DenoisingModel model;
  NoiseLevels levels;
  EmaDecay ema;
  TrainingSettings training;
  LoaderSettings loader;
  Intervals intervals;
  Sampling sampling;
  std::int64_t evaluation_images = 1000;
  std::uint64_t evaluation_seed = 0;
  std::vector<std::string> metrics;  // of metric_table()
  std::string reference;             // file of reference statistics, or ""
};

/// What a command needs of the config: sampling needs no data.
enum class Needs { kModel, kData };

/// Builds everything that the document describes. Throws one Error with all mistakes.
Experiment build(Options options, Needs needs);

/// A second model of the same make, on a network of its own (for the EMA of the weights).
DenoisingModel model_like(const Experiment& experiment);

}  // namespace edmund
