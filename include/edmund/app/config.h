#pragma once

#include "edmund/core/options.h"
#include "edmund/data/dataset.h"
#include "edmund/data/loader.h"
#include "edmund/diffusion/model.h"
#include "edmund/diffusion/noise_levels.h"
#include "edmund/generation/sampling.h"
#include "edmund/ops/device.h"
#include "edmund/ops/ops.h"
#include "edmund/training/objective.h"
#include "edmund/training/trainer.h"
#include "edmund/training/validation.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edmund {

/// Where and how precisely operators compute: choices for the whole process, see ops/device.h and
/// ops/ops.h.
///
///   device    auto       auto | cpu | cuda | cuda:N
///   precision fp32       fp32 | tf32 | bf16 | fp16
///   kernels   fast       fast | reference
///   conv      winograd   winograd | exact
///   graphs    on         on | off
struct Backend {
  at::Device device = at::kCPU;
  ops::Precision precision = ops::Precision::kFp32;
  ops::Kernels kernels = ops::Kernels::kFast;
  ops::ConvAlgorithm conv = ops::ConvAlgorithm::kWinograd;
  ops::Graphs graphs = ops::Graphs::kOn;
};
/// Makes these the choices of the process.
void apply_backend(const Backend& backend);

/// What a training run writes and when (part of `training:`); counts are images.
struct Intervals {
  std::int64_t log = 0, checkpoint = 0, samples = 0;
  std::int64_t keep = 2;  // checkpoints
  std::int64_t sample_rows = 4;
  std::int64_t averages = 0;      // of training.ema_tracks
  double save_patience = 3600.0;  // seconds without a checkpoint that the disk took
};

/// How much of the data is read before the first step (`training.check`).
enum class DataCheck {
  kAuto,    // all images, if a minute is enough; else as many as a minute is enough for
  kHeader,  // the headers alone, as always
  kFull     // all images
};

/// Weights that a new run starts from (`training.init`, `training.init_weights`) in place of random
/// ones.
struct StartingWeights {
  std::string from;  // a run or a checkpoint; empty: none
  bool ema = true;   // its averaged weights, or the raw ones
};

/// What `evaluate` draws and scores (`evaluation:`, without its features and held-out images).
struct EvaluationSettings {
  std::int64_t images = 1000;
  std::int64_t real = 10000;  // real images whose features metrics compare one by one
  std::uint64_t seed = 0;
  std::vector<std::string> metrics;  // of metric_table()
  std::string reference;             // file of reference statistics, or ""
};

/// A config as it was read: plain values, and the document, in which the mappings of plugins wait
/// for construct().
struct RunConfig {
  Options options;
  std::string name;
  std::uint64_t seed = 0;
  Backend backend;
  TrainingSettings training;
  ObjectiveSettings objective;  // what `training:` says of the loss
  Intervals intervals;
  DataCheck check = DataCheck::kAuto;
  bool accepts_other_data = false;  // `training.data_changed: accept`
  double max_walltime = 0.0;        // seconds after which a training saves and stops; 0: never
  ValidationSettings validation;
  StartingWeights init;
  LoaderSettings loader;
  EvaluationSettings evaluation;
};

/// Reads what is fixed in every config. Chooses nothing for the process, reads no data, makes no
/// plugin. Mistakes are recorded in `options`: construct() throws them together with its own,
/// options.finish() by themselves.
RunConfig parse(Options options);

/// What a command needs of an experiment, each with all before it.
enum class Needs {
  // noise levels, EMA, sampling without its guide, the image shape if the config states it
  kSettings,
  kModel,  // a network, its weights yet to be loaded or initialized
  kData,   // the images
};

/// A whole config, constructed: every plugin exists before the first batch is read.
struct Experiment {
  RunConfig config;
  std::shared_ptr<Dataset> data;  // null unless needed
  // from `image:` if that is there (checkpoints), else from the data
  ModelShape shape;
  DenoisingModel model;  // its network is on the backend's device; null unless needed
  NoiseLevels levels;
  Objective objective;
  EmaDecay ema;
  Sampling sampling;
};

/// Makes everything that is needed of what the config describes. Throws one Error with all
/// mistakes, those of parse() included.
Experiment construct(RunConfig config, Needs needs);

/// A second model of the same make, on a network of its own (for the EMA of the weights).
DenoisingModel model_like(const Experiment& experiment);

}  // namespace edmund
