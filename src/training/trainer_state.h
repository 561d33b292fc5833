#pragma once

#include "edmund/networks/network.h"
#include "edmund/ops/graph.h"
#include "edmund/training/trainer.h"
#include "flat_memory.h"

#include <algorithm>
#include <c10/core/TensorOptions.h>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edmund {

/// Steps that went wrong, one after the other.
struct Streak {
  std::int64_t steps = 0, first_image = 0;
  double low = std::numeric_limits<double>::infinity(), high = -low;  // places on the clock

  void add(const std::vector<double>& clock, std::int64_t image) {
    if (steps++ == 0) first_image = image;
    for (const double place : clock) {
      low = std::min(low, place);
      high = std::max(high, place);
    }
  }
};

/// Members stand in the order in which they are made of each other.
struct Trainer::State {
  std::unique_ptr<Trainable> model;
  std::shared_ptr<Network> averaged;
  EmaDecay ema;
  TrainingSettings settings;

  NamedTensors trained = model->parameters();
  at::TensorOptions options = trained.front().second.options().requires_grad(false);
  FlatMemory memory{trained};
  Tensor values = memory.zeros(), first = memory.zeros(), second = memory.zeros();
  // the EMA and the tracks; what rounding left of each, see ops::LiveAdam
  std::vector<Tensor> averages = each_average(), rests = each_average();
  std::vector<EmaDecay> tracks = track_decays();

  std::int64_t images = 0, steps = 0, skipped = 0, skipped_images = 0;
  Streak streak;
  LossTrend trend;
  std::optional<LossScaler> scaler =
      settings.dynamic_scale ? std::optional<LossScaler>(*settings.dynamic_scale) : std::nullopt;
  Tensor scale;           // the scaler's, [], where the network lies: recorded work reads it anew
  std::int64_t fits = 0;  // images at once that memory had room for, since it had none; 0: it had
  TrainingInputs last;    // of the last step, on the host
  double last_loss = 0.0;
  std::optional<ExaminedBatch> troubled;
  std::string inherited_fault;  // of the checkpoint gone on from, until the next step
  bool keep = false;
  Tensor kept;

  /// Zeros for the EMA and for each track.
  std::vector<Tensor> each_average() const;
  std::vector<EmaDecay> track_decays() const;
  /// Each track starts as the EMA does: at the weights.
  void start_tracks();
  /// Tensors of a checkpoint beside weights and moments: the tracks and their rests.
  NamedTensors track_state() const;

  /// The averages of what is trained: parameters of the EMA's network; what belongs to the
  /// objective alone has none there.
  NamedTensors averaged_tensors() const;
  /// The EMA is taken of parameters only: buffers are those of the network.
  void copy_buffers() const;
  /// What is trained beside the network.
  NamedTensors beside_network() const;

  /// The optimizer's step to come, unclipped; notes what the log is told of it.
  ops::AdamStep next_step(StepReport& report, std::int64_t batch) const;
  /// The step itself, where the network lies: gradient, Adam, EMA. `terms`: see ops::LiveAdam.
  /// Returns what the report needs: loss of each image, its place on the clock, and the norm of the
  /// gradient, [2B + 1].
  Tensor take_step(const TrainingInputs& inputs, const ops::AdamStep& adam, const Tensor& terms);
  /// Puts the scaler's scale where recorded work reads it.
  void refresh_scale();
  /// Images at once of a batch of B.
  std::int64_t part_of(std::int64_t B) const;
  /// Adds up ∇ of the mean loss over the batch, in parts of so many images, half as many where
  /// memory runs out. Returns the first 2B of the results.
  Tensor differentiate(const TrainingInputs& inputs);
  Tensor differentiate_in_parts(const TrainingInputs& inputs, std::int64_t part) const;
  /// From now on at most half of `part` images at once.
  void halve(std::int64_t part);
  /// What backward() left at the parameters, which lose it: on the CPU in the memory that autograd
  /// took for it, on a GPU in one piece, which takes fewer launches.
  std::vector<ops::GradientPiece> taken_gradient();
  /// Norm of the gradient, [], after replacing what is not finite if the settings say so, without
  /// the scaler's scale; infinite where Adam's moments cannot hold its squares.
  Tensor cleaned_norm(std::vector<ops::GradientPiece>& gradient) const;
  /// Reads the results, which waits for a GPU, and moves the position.
  void finish(const Tensor& results, std::int64_t batch, StepReport& report);
  /// What the step tells of the training's health. Throws Diverged.
  void judge(const StepReport& report, std::int64_t batch);
  /// Trend, streak, scale and parts as counters, and back.
  void save_health(std::map<std::string, double>& counters) const;
  void restore_health(const std::map<std::string, double>& counters);

  /// The step as recorded work (ops/graph.h), and where it finds a batch; all of it lies on the
  /// GPU.
  struct Recorded {
    TrainingInputs inputs;
    Tensor terms;    // ops::adam_terms()
    Tensor results;  // of take_step()
    std::unique_ptr<ops::Graph> graph;
  };
  std::optional<Recorded> recorded;
  bool recording = false;  // within a recorded step
  /// Whether a step on this batch runs as recorded work.
  bool records(const TrainingInputs& inputs) const;
  /// take_step() as recorded work; returns its results, nothing where memory ran out.
  Tensor take_recorded_step(const TrainingInputs& inputs, const ops::AdamStep& adam);
};

/// Every tensor of the inputs through `change`, undefined ones left out.
template <typename Change>
TrainingInputs each(const TrainingInputs& inputs, const Change& change) {
  const auto changed = [&](const Tensor& tensor) { return tensor.defined() ? change(tensor) : tensor; };
  TrainingInputs out{
      .images = changed(inputs.images), .positions = changed(inputs.positions), .labels = changed(inputs.labels)};
  out.augment = changed(inputs.augment);
  for (const Tensor& tensor : inputs.drawn) out.drawn.push_back(changed(tensor));
  return out;
}

}  // namespace edmund
