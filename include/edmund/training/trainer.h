#pragma once

#include "edmund/core/options.h"
#include "edmund/core/tensor.h"
#include "edmund/training/checkpoint.h"
#include "edmund/training/divergence.h"
#include "edmund/training/ema.h"
#include "edmund/training/kept_averages.h"
#include "edmund/training/learning_rate.h"
#include "edmund/training/loss_scaler.h"
#include "edmund/training/loss_trend.h"
#include "edmund/training/trainable.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edmund {

/// What becomes of a gradient that is not finite: the step is skipped, or NaN → 0, ±inf → ±1e5
/// (Karras et al. 2022, training loop).
enum class NonFinite { kSkip, kZero };

struct TrainingSettings {
  std::int64_t images = 0;  // length of the run
  std::int64_t batch_size = 64;
  std::int64_t micro_batch = 0;  // 0: the whole batch at once; else gradients are accumulated
  LearningRate learning_rate;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0.0;  // above 0: AdamW
  double clip_norm = 0.0;     // of the whole gradient; 0: none
  // multiplies the loss before back-propagation, and stays in the gradient (Karras et al. 2022)
  double loss_scale = 1.0;
  std::optional<DynamicScale> dynamic_scale = {};  // in its place
  NonFinite nonfinite = NonFinite::kSkip;
  std::int64_t max_skipped = 10;  // steps that go wrong in a row before the run stops
  double max_rise = 1000.0;       // beyond this LossTrend::rise() a step goes wrong; 0: never
  // relative widths of power-function averages that are kept beside the EMA
  std::vector<double> ema_tracks = {};
};
/// Reads the keys of `training:` (names as above, and the learning rate's). What objectives read of
/// it, see objective_settings(); the decay of `ema: {type: …}` is make_ema's.
TrainingSettings training_settings(Options& options);

/// What a step tells the log.
struct StepReport {
  std::int64_t images = 0;  // position after the step
  double loss = 0.0;        // mean of `losses`, NaN if not finite
  double learning_rate = 0.0, ema_beta = 0.0;
  double gradient_norm = 0.0;  // after the clean-up, before clipping
  bool skipped = false;
  std::vector<double> clock, losses;  // of each image, [B]: see Losses
};

/// Trains a Trainable: loss → gradient → Adam → EMA over flat memory. Owns position, moments and
/// EMA; knows nothing of noise. With draws that are functions of the position in the sequence of
/// training images, a run that was restored goes on bit for bit.
class Trainer {
 public:
  /// `averaged`: a second network of the same make, which becomes the EMA; its weights are
  /// overwritten.
  Trainer(std::unique_ptr<Trainable> model, std::shared_ptr<Network> averaged, EmaDecay ema, TrainingSettings settings);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Throws Diverged after max_skipped steps in a row that went wrong: without a finite gradient,
  /// without a finite loss, or with a loss that has risen beyond max_rise; it names images and
  /// their places on the clock. A gradient whose squares Adam's moments cannot hold is not finite.
  /// Where memory runs out, the step is taken again in parts of half as many images, and all after
  /// it: the same sums but for their rounding, which a log line says.
  StepReport step(const TrainingBatch& batch);

  LossClock clock() const;       // of what it trains
  std::int64_t images() const;   // position in the sequence of training images
  std::int64_t steps() const;    // optimizer steps, skipped ones not included
  std::int64_t skipped() const;  // skipped steps of the whole run
  // images at once: settings' micro_batch, less where memory ran out; 0: all
  std::int64_t micro_batch() const;

  /// Keeps the gradients of each step as the optimizer saw them, for tests and logs.
  void keep_gradients(bool keep);
  /// By parameter name; empty unless kept.
  NamedTensors last_gradients() const;

  /// State dict of the network: `ema` or raw. Shares memory with the trainer.
  NamedTensors weights(bool ema) const;
  /// The network on the EMA weights, which follow the training; its buffers are those of this
  /// moment.
  const std::shared_ptr<Network>& ema_network() const;

  /// The average of width settings.ema_tracks[index] of all that is trained, by name, what belongs
  /// to the objective alone included. Shares memory with the trainer.
  NamedTensors track(std::size_t index) const;
  /// All of them as they are kept beside checkpoints: of the network's parameters.
  KeptAverages averages() const;

  /// Why this moment is no healthy one to go on from, for a checkpoint's `fault`: the last steps
  /// went wrong, the loss is beyond LossTrend::kBound, or the loss of the last batch rose beyond it
  /// by its step, which is measured. Empty: it is. Tensors are not looked at.
  std::string fault() const;
  /// The losses so far.
  const LossTrend& trend() const;
  /// The first batch of those that have gone wrong without one between them; null if the last step
  /// went well.
  const ExaminedBatch* troubled() const;
  /// Loss and gradient of prepared inputs at the weights of this moment, which stay as they are.
  ExaminedBatch examine(const TrainingInputs& inputs);

  Checkpoint checkpoint(const std::string& config) const;
  /// Goes on from a checkpoint. Throws Error if names, shapes or dtypes do not fit the model.
  void restore(const Checkpoint& checkpoint);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace edmund
