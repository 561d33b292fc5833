// A training step as recorded work: everything between the batch's arrival on the GPU and the new weights is one CUDA graph. What differs from step to
// step is copied to where the graph reads it; whether a step is skipped, and how much of the gradient is cut, the GPU decides itself.
#include "edmund/ops/device.h"
#include "edmund/ops/pixels.h"
#include "edmund/ops/random.h"
#include "trainer_state.h"
#include "training_draws.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <cmath>

namespace edmund {
namespace {

// Steps before the record: LibTorch makes what it keeps (gradients' accumulators, cuDNN's choices) in the first ones.
constexpr int kWarmUp = 3;

}  // namespace

bool Trainer::State::records(const TrainingBatch& batch) const {
  const std::int64_t B = batch.images.size(0);
  const bool whole = settings.micro_batch <= 0 || settings.micro_batch >= B;
  const bool fits = !recorded || recorded->images.sizes() == batch.images.sizes();
  return ops::records(options.device()) && options.dtype() == at::kFloat && whole && fits && !keep;
}

void Trainer::State::make_recorded(const TrainingBatch& batch) {
  const std::int64_t B = batch.images.size(0);
  const auto empty = [&](at::IntArrayRef shape, at::ScalarType dtype) {
    return at::empty(shape, options.dtype(dtype));
  };
  recorded = Recorded{.images = empty(batch.images.sizes(), at::kByte),
                      .sigma = empty({B}, at::kFloat),
                      .positions = empty({B}, at::kLong),
                      .labels = settings.num_classes > 0 ? empty({B}, at::kLong) : Tensor(),
                      .terms = empty({4 + static_cast<std::int64_t>(averages.size())}, at::kFloat),
                      .results = at::zeros({B + 1}, options.dtype(at::kFloat)),
                      .graph = ops::make_graph(options.device(), kWarmUp)};
}

/// The work itself. Of `args` only what never changes is used.
void Trainer::State::work(const ops::AdamStep& args) {
  const Recorded& on_gpu = *recorded;
  const std::int64_t B = on_gpu.images.size(0);
  const Tensor x0 = to_float(on_gpu.images);  // [B, C, H, W]
  const Tensor eps =
      ops::normal({settings.seed, Stream::kTrainingNoise, on_gpu.positions, 0, at::kFloat}, x0.sizes().slice(1));
  const ops::DropoutKey dropout{.seed = settings.seed, .samples = {}, .positions = on_gpu.positions};
  const Condition condition{.labels = on_gpu.labels, .augment = {}, .dropout = &dropout};
  const Tensor loss = model.loss(x0, eps, on_gpu.sigma, condition);
  on_gpu.results.narrow(0, 0, B).copy_(loss.detach().mean({1, 2, 3}));
  objective(loss, on_gpu.sigma, settings.reduction == Reduction::kSum ? B : x0.numel()).backward();

  std::vector<ops::GradientPiece> gradient = taken_gradient();
  if (settings.nonfinite == NonFinite::kZero) replace_nonfinite(gradient);
  const Tensor norm = on_gpu.results.select(0, B);
  norm.copy_(ops::gradient_norm(gradient));
  ops::adam_ema(values, gradient, first, second, averages, args,
                {.terms = on_gpu.terms,
                 .norm = norm,
                 .clip_norm = settings.clip_norm,
                 .skip_nonfinite = settings.nonfinite == NonFinite::kSkip});
}

StepReport Trainer::State::step_recorded(const TrainingBatch& batch) {
  if (!recorded) make_recorded(batch);
  const std::int64_t B = batch.images.size(0);
  StepReport report;
  const ops::AdamStep args = next_step(report, B);
  const Tensor sigma = drawn_levels(settings, levels, batch.positions).to(at::kFloat);
  recorded->images.copy_(batch.images);
  recorded->sigma.copy_(sigma);
  recorded->positions.copy_(at::tensor(at::ArrayRef<std::int64_t>(batch.positions)));
  recorded->terms.copy_(at::tensor(at::ArrayRef<float>(ops::adam_terms(args))));
  if (recorded->labels.defined()) recorded->labels.copy_(dropped_labels(settings, batch.positions, batch.labels));
  recorded->graph->run([&] { work(args); });

  append(report.sigmas, sigma);
  append(report.losses, recorded->results);  // waits for the GPU
  report.gradient_norm = report.losses.back();
  report.losses.pop_back();
  for (const double loss : report.losses) report.loss += loss / static_cast<double>(B);
  report.skipped = settings.nonfinite == NonFinite::kSkip && !std::isfinite(report.gradient_norm);
  if (report.skipped) {
    skip(report, B);
  } else {
    count(B);
  }
  ops::weights_changed();  // a replay tells no one
  report.images = images;
  return report;
}

}  // namespace edmund
