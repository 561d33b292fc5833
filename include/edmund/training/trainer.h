#pragma once

#include "edmund/core/options.h"
#include "edmund/core/tensor.h"
#include "edmund/data/loader.h"
#include "edmund/diffusion/model.h"
#include "edmund/diffusion/noise_levels.h"
#include "edmund/training/checkpoint.h"
#include "edmund/training/ema.h"
#include "edmund/training/learning_rate.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace edmund {

enum class Reduction {
  kSum,
  kMean
};  // sum over C, H, W and mean over the batch (Karras et al. 2022), or mean over all
enum class NonFinite { kSkip, kZero };  // skip the step, or NaN → 0, ±inf → ±1e5 (Karras et al. 2022, training loop)

struct TrainingSettings {
  std::int64_t images = 0;  // length of the run
  std::int64_t batch_size = 64;
  std::int64_t micro_batch = 0;  // 0: the whole batch at once; else gradients are accumulated
  LearningRate learning_rate;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.0;  // weight_decay > 0: AdamW
  double clip_norm = 0.0;                                             // of the whole gradient; 0: none
  double loss_scale = 1.0;                                            // multiplies the loss before back-propagation
  double label_dropout = 0.0;                                         // share of labels that become "no class"
  Reduction reduction = Reduction::kSum;
  NonFinite nonfinite = NonFinite::kSkip;
  std::int64_t max_skipped = 10;  // consecutive skipped steps before the run stops
  bool stratified = true;         // u of a batch stratified
  bool uncertainty = false;       // loss/e^u + u with u(σ) trained along (Karras et al. 2024, EDM2)
  std::int64_t num_classes = 0;   // of the network, 0: unconditional; set by the caller, no key
  std::uint64_t seed = 0;
};
/// Reads the keys of `training:` (names as above, and the learning rate's). The decay of `ema: {type: …}` is make_ema's.
TrainingSettings training_settings(Options& options, std::uint64_t seed);

/// The draws of a step, normally made from (seed, stream, position), given by tests instead.
struct TrainingDraws {
  Tensor sigma;   // [B]
  Tensor eps;     // [B, C, H, W]
  Tensor labels;  // as in Condition, label dropout applied; undefined if unconditional
};

/// What a step tells the log.
struct StepReport {
  std::int64_t images = 0;  // position after the step
  double loss = 0.0;        // mean over all elements before uncertainty and scale, NaN if not finite
  double learning_rate = 0.0, ema_beta = 0.0;
  double gradient_norm = 0.0;  // after the clean-up, before clipping
  bool skipped = false;
  std::vector<double> sigmas, losses;  // of each image, [B]: mean over its elements
};

/// Trains a model: loss → gradient → Adam → EMA over flat memory. Owns position, moments and EMA. Every draw is a function of
/// (seed, stream, position in the sequence of training images), so that a run that was restored goes on bit for bit.
class Trainer {
 public:
  /// `ema_model`: a second model of the same make on a network of its own, which becomes the EMA; its weights are overwritten.
  Trainer(DenoisingModel model, DenoisingModel ema_model, NoiseLevels levels, EmaDecay ema, TrainingSettings settings);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Throws Error after max_skipped steps in a row without a finite gradient, naming images, noise levels and the checkpoint to
  /// go back to.
  StepReport step(const TrainingBatch& batch);
  /// The same with draws given: x0 [B, C, H, W], float.
  StepReport step(const Tensor& x0, const TrainingDraws& draws, const std::vector<std::int64_t>& positions);
  /// What step() draws for the images at these positions; labels int64 [B]. dtype and device of the weights.
  TrainingDraws draws(const std::vector<std::int64_t>& positions, at::IntArrayRef image_shape,
                      const Tensor& labels) const;

  std::int64_t images() const;   // position in the sequence of training images
  std::int64_t steps() const;    // optimizer steps, skipped ones not included
  std::int64_t skipped() const;  // skipped steps of the whole run

  /// Keeps the gradients of each step as the optimizer saw them, for tests and logs.
  void keep_gradients(bool keep);
  /// By parameter name; empty unless kept.
  NamedTensors last_gradients() const;

  /// State dict: `ema` or raw. Shares memory with the trainer.
  NamedTensors weights(bool ema) const;
  /// The model on the EMA weights; always up to date.
  DenoisingModel ema_model();

  Checkpoint checkpoint(const std::string& config) const;
  /// Goes on from a checkpoint. Throws Error if names, shapes or dtypes do not fit the model.
  void restore(const Checkpoint& checkpoint);
  /// Tells which checkpoint a person is sent back to when the run has to stop.
  void note_checkpoint(const std::filesystem::path& folder);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace edmund
