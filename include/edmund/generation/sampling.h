#pragma once

#include "edmund/core/interval.h"
#include "edmund/core/options.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/model.h"
#include "edmund/diffusion/noise_source.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/networks/condition.h"
#include "edmund/samplers/sampler.h"
#include "edmund/schedules/noise_schedule.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edmund {

/// Images and classes of a model.
struct ModelShape {
  ImageShape image;
  std::int64_t num_classes = 0;  // 0: unconditional
  std::vector<std::string> class_names = {};
  std::vector<std::int64_t> class_counts = {};  // training images of each class; empty: not known
  std::int64_t augment_labels = 0;              // width of Condition::augment
};

/// A second, weaker model that guides the first (autoguidance, Karras et al. 2024).
struct GuideModel {
  std::string path;  // as the config has it
  ModelShape shape;
  DenoisingModel model;
};
/// Loads the guide that `guidance.model` names. Throws Error saying what is missing.
using GuideLoader = std::function<GuideModel(const std::string& path)>;

/// How often each class is drawn where nobody asks for one: as in the training data, or each class
/// that has images equally often.
enum class ClassRule { kData, kEven };

/// How images are drawn (`sampling:`).
struct Sampling {
  std::string name;  // "heun, 18 steps (karras) on edm"
  std::shared_ptr<const NoiseSchedule> schedule;
  TimeGrid grid;
  Sampler sampler;
  std::optional<Interval> clip;
  double threshold = 0.0;  // share of dynamic thresholding; 0: none
  double threshold_max = std::numeric_limits<double>::infinity();
  double guidance = 1.0;  // 1: none
  Interval guidance_sigmas;
  std::shared_ptr<const GuideModel> guide;  // none: classifier-free guidance
  ClassRule classes = ClassRule::kData;
  std::vector<double> labels;  // of all images in place of their classes; empty: none
  std::int64_t batch_size = 64;
  // false: the work depends on the images (adaptive samplers), see ops/graph.h
  bool recordable = true;
};

/// Sampler, schedule and grid of a `sampling:` mapping for a network of these noise levels.
/// Mistakes are recorded, pairs that cannot work among them. Without `load` a guide is named, but
/// not there: for those who draw nothing.
///
///   preset    none  a mapping as a paper has it (presets.h), below the keys that stand here
///   schedule, grid, sampler    what noise, which of its levels, how to integrate: their own tables
///   clip      []    [low, high] that D is cut to; []: not cut
///   threshold 0     share of dynamic thresholding (Saharia et al. 2022: 0.995), in (0, 1]; 0:
///                   none; excludes clip
///   threshold_max inf  bound of what it divides by, at least 1 (diffusers: sample_max_value)
///   guidance.weight  1    w of D_u + w (D_c - D_u), in [0, 1000]; 1: no guidance
///   guidance.sigmas  []   [low, high]: guides these noise levels only
///   guidance.model   ""   run or checkpoint (its EMA weights) in place of D_u, conditioned as the
///                         model is (autoguidance)
///   classes          data classes as often as in the training data, or `even`
///   labels           []   real numbers that the network gets in place of the class, as many as
///                         the model has classes: shares of classes, or a condition of another kind
///   batch_size       64   images at a time
Sampling make_sampling(Options& options, const Preconditioning& preconditioning, const GuideLoader& load = nullptr);

/// Makes the paths in a `sampling:` mapping absolute that is kept to be read later.
void settle_paths(Options& sampling);

/// What the sampler makes of the next draws of `noise`: x = s·σ·ε at the first grid time, then to
/// the end. [B, C, H, W], on the device and in the dtype of the noise. D is taken as it is:
/// guidance and clipping are the caller's.
Tensor sampled(const Sampling& sampling, const Denoiser& D, NoiseSource& noise, const ImageShape& image);

/// Network evaluations that one image takes, counted on Gaussian data in place of a network.
std::int64_t evaluations_of(const Sampling& sampling);

}  // namespace edmund
