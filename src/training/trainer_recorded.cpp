// A training step as recorded work: all that take_step() does is one CUDA graph. What differs from
// step to step is copied to where the graph reads it; whether a step is skipped, and how much of
// the gradient is cut, the GPU decides itself.
#include "edmund/core/out_of_memory.h"
#include "edmund/networks/network.h"
#include "edmund/ops/device.h"
#include "trainer_state.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

namespace edmund {
namespace {

// Steps before the record: LibTorch makes what it keeps (gradients' accumulators, cuDNN's choices)
// in the first ones.
constexpr int kWarmUp = 3;

void copy_into(const TrainingInputs& target, const TrainingInputs& source) {
  const auto copy = [](const Tensor& to, const Tensor& from) {
    if (to.defined()) to.copy_(from);
  };
  copy(target.images, source.images);
  copy(target.positions, source.positions);
  copy(target.labels, source.labels);
  copy(target.augment, source.augment);
  for (std::size_t i = 0; i < target.drawn.size(); ++i) copy(target.drawn[i], source.drawn[i]);
}

}  // namespace

bool Trainer::State::records(const TrainingInputs& inputs) const {
  const std::int64_t B = inputs.positions.size(0);
  const bool whole = part_of(B) == B;
  const bool is_alike = !recorded || recorded->inputs.images.sizes() == inputs.images.sizes();
  return ops::records(options.device()) && options.dtype() == at::kFloat && whole && is_alike && !keep;
}

Tensor Trainer::State::take_recorded_step(const TrainingInputs& inputs, const ops::AdamStep& adam) {
  const Tensor terms = at::tensor(at::ArrayRef<float>(ops::adam_terms(adam)));
  if (!recorded) {
    const auto fixed = [&](const Tensor& x) { return at::empty(x.sizes(), x.options().device(options.device())); };
    recorded = Recorded{.inputs = each(inputs, fixed),
                        .terms = fixed(terms),
                        .results = at::empty({2 * inputs.positions.size(0) + 1}, options),
                        .graph = ops::make_graph(options.device(), kWarmUp)};
  }
  copy_into(recorded->inputs, inputs);
  recorded->terms.copy_(terms);
  ops::AdamStep fixed = adam;
  fixed.gradient_scale = 1.0;  // the terms have it
  recording = true;
  try {
    recorded->graph->run([this, fixed] {
      const Tensor results = take_step(recorded->inputs, fixed, recorded->terms);
      recorded->results.copy_(results);
    });
    recording = false;
  } catch (const std::exception& error) {
    recording = false;
    if (inputs.positions.size(0) == 1 || !is_out_of_memory(error)) throw;
    recorded.reset();
  }
  if (!recorded) {
    halve(inputs.positions.size(0));
    return {};
  }
  ops::weights_changed();  // a replay tells no one
  return recorded->results;
}

}  // namespace edmund
