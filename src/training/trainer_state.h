#pragma once

#include "edmund/networks/network.h"
#include "edmund/ops/graph.h"
#include "edmund/training/trainer.h"
#include "flat_memory.h"

#include <algorithm>
#include <c10/core/TensorOptions.h>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edmund {

/// Steps without a finite gradient, one after the other.
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
  bool keep = false;
  Tensor kept;
  std::string last_checkpoint;

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
  /// Adds up ∇ of the mean loss over the batch, in parts of micro_batch images. Returns the first
  /// 2B of the results.
  Tensor differentiate(const TrainingInputs& inputs) const;
  /// What backward() left at the parameters, which lose it: on the CPU in the memory that autograd
  /// took for it, on a GPU in one piece, which takes fewer launches.
  std::vector<ops::GradientPiece> taken_gradient();
  /// Norm of the gradient, [], after replacing what is not finite if the settings say so.
  Tensor cleaned_norm(std::vector<ops::GradientPiece>& gradient) const;
  /// Reads the results, which waits for a GPU, and moves the position.
  void finish(const Tensor& results, std::int64_t batch, StepReport& report);
  void count_skipped(const StepReport& report, std::int64_t batch);

  /// The step as recorded work (ops/graph.h), and where it finds a batch; all of it lies on the
  /// GPU.
  struct Recorded {
    TrainingInputs inputs;
    Tensor terms;    // ops::adam_terms()
    Tensor results;  // of take_step()
    std::unique_ptr<ops::Graph> graph;
  };
  std::optional<Recorded> recorded;
  /// Whether a step on this batch runs as recorded work.
  bool records(const TrainingInputs& inputs) const;
  /// take_step() as recorded work; returns its results.
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
