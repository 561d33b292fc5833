#pragma once

#include "edmund/networks/network.h"
#include "edmund/ops/graph.h"
#include "edmund/training/trainer.h"
#include "flat_memory.h"
#include "uncertainty.h"

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
  double low = std::numeric_limits<double>::infinity(), high = 0.0;  // noise levels

  void add(const std::vector<double>& sigmas, std::int64_t image) {
    if (steps++ == 0) first_image = image;
    for (const double sigma : sigmas) {
      low = std::min(low, sigma);
      high = std::max(high, sigma);
    }
  }
};

/// Adds the elements of a tensor on any device.
void append(std::vector<double>& out, const Tensor& values);

/// Name of the uncertainty's weight among the trained tensors and in checkpoints.
constexpr const char* kUncertainty = "uncertainty.weight";

/// Members stand in the order in which they are made of each other.
struct Trainer::State {
  DenoisingModel model, ema_model;
  NoiseLevels levels;
  EmaDecay ema;
  TrainingSettings settings;

  at::TensorOptions options = model.network().parameters().front().options().requires_grad(false);
  std::optional<Uncertainty> uncertainty =
      settings.uncertainty ? std::optional<Uncertainty>(std::in_place, settings.seed, options) : std::nullopt;
  NamedTensors trained = trained_tensors();  // the network's parameters, then what is trained beside it
  FlatMemory memory{trained};
  Tensor values = memory.zeros(), first = memory.zeros(), second = memory.zeros();
  std::vector<Tensor> averages = {memory.zeros()};

  std::int64_t images = 0, steps = 0, skipped = 0, skipped_images = 0;
  Streak streak;
  bool keep = false;
  Tensor kept;
  std::string last_checkpoint;

  /// The EMA is taken of parameters only: buffers are those of the network.
  void copy_buffers();
  NamedTensors trained_tensors();
  void accumulate(const Tensor& x0, const TrainingDraws& draws, const std::vector<std::int64_t>& positions,
                  StepReport& report);
  /// What backward() left at the parameters, which lose it: on the CPU in the memory that autograd took for it, on a GPU in one piece, which takes
  /// fewer launches.
  std::vector<ops::GradientPiece> taken_gradient();
  static void replace_nonfinite(std::vector<ops::GradientPiece>& gradient);
  void clean(std::vector<ops::GradientPiece>& gradient, StepReport& report);
  void skip(const StepReport& report, std::int64_t batch);
  void update(const std::vector<ops::GradientPiece>& gradient, StepReport& report, std::int64_t batch);
  /// What is differentiated: the mean (or sum) of the loss, with uncertainty and scale.
  Tensor objective(const Tensor& loss, const Tensor& sigma, std::int64_t count) const;
  /// The optimizer's step to come, unclipped; notes what the log is told of it.
  ops::AdamStep next_step(StepReport& report, std::int64_t batch) const;
  /// Counts a step that was taken.
  void count(std::int64_t batch);

  /// Where recorded work finds a batch, and leaves what the report needs; all on the GPU.
  struct Recorded {
    Tensor images;     // uint8 [B, C, H, W]
    Tensor sigma;      // [B]
    Tensor positions;  // int64 [B]
    Tensor labels;     // int64 [B], undefined if unconditional
    Tensor terms;      // ops::adam_terms()
    Tensor results;    // loss of each image, then the gradient's norm: [B + 1]
    std::unique_ptr<ops::Graph> graph;
  };
  std::optional<Recorded> recorded;
  /// Whether a step on this batch runs as recorded work.
  bool records(const TrainingBatch& batch) const;
  void make_recorded(const TrainingBatch& batch);
  void work(const ops::AdamStep& args);
  StepReport step_recorded(const TrainingBatch& batch);
};

}  // namespace edmund
