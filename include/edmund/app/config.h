#pragma once

#include "edmund/core/options.h"
#include "edmund/data/dataset.h"
#include "edmund/data/loader.h"
#include "edmund/diffusion/model.h"
#include "edmund/diffusion/noise_levels.h"
#include "edmund/samplers/sampler.h"
#include "edmund/training/objective.h"
#include "edmund/training/trainer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edmund {

/// Images and classes of a model. Read from `image:` if that is there (checkpoints), else from the data.
struct ModelShape {
  ImageShape image;
  std::int64_t num_classes = 0;
  std::vector<std::string> class_names;
};

/// A second, weaker model that guides the first (autoguidance, Karras et al. 2024).
struct GuideModel {
  std::string path;  // as the config has it
  ModelShape shape;
  DenoisingModel model;
};

/// How images are drawn (`sampling:`).
struct Sampling {
  std::string name;  // "heun, 18 steps (karras) on edm"
  std::shared_ptr<const NoiseSchedule> path;
  TimeGrid grid;
  Sampler sampler;
  std::optional<Interval> clip;
  double threshold = 0.0;  // share of dynamic thresholding; 0: none
  double guidance = 1.0;   // 1: none
  Interval guidance_sigmas;
  std::shared_ptr<const GuideModel> guide;  // none: classifier-free guidance
  std::int64_t batch_size = 64;
  bool recordable = true;  // false: what it does depends on the images (adaptive samplers), see ops/graph.h
};

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
  Objective objective;
  ObjectiveSettings objective_settings;
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

/// Sampler, clock and grid of a `sampling:` mapping for a network of these noise levels. Pairs that cannot work are recorded as mistakes.
///
///   clip      []   [low, high] that D is cut to; []: not cut
///   threshold 0    share of dynamic thresholding (Saharia et al. 2022: 0.995), in (0, 1]; 0: none; not beside clip
///   guidance.weight  1    w of D_u + w (D_c - D_u), in [0, 1000]; 1: no guidance
///   guidance.sigmas  []   [low, high]: guides these noise levels only
///   guidance.model   ""   run or checkpoint (its EMA weights) that takes the place of D_u, conditioned as the model itself (autoguidance)
Sampling make_sampling(Options& options, const Preconditioning& preconditioning);

}  // namespace edmund
