// The training loop of Karras et al. 2022 (Adam, EMA, ramps of both), for any Trainable:
//
//   draws   ← f(seed, position)                 on the host (Trainable::prepare)
//   g       ← ∇ 1/B Σ loss of each image        in parts of micro_batch (Trainable::loss)
//   g       ← 0, ±1e5 where it is not finite    nonfinite: zero
//   m, v, p ← Adam(g, clipped to clip_norm)     unless ‖g‖, or its square, is not finite
//   ema     ← β·ema + (1-β)·p                   in the same pass over memory
#include "edmund/training/trainer.h"

#include "edmund/core/log.h"
#include "edmund/core/out_of_memory.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "edmund/ops/threads.h"
#include "trainer_state.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <limits>
#include <utility>

namespace edmund {
namespace {

// Squares of what is longer are no longer finite in float32, nor would the second moment be.
constexpr double kLongest = 1.8e19;

}  // namespace

StepReport Trainer::step(const TrainingBatch& batch) {
  State& own = *state_;
  TORCH_CHECK(!batch.positions.empty() && batch.positions.front() == own.images, "expected the batch at position ",
              own.images);
  const ops::LibraryThreads library(ops::kLibraryThreads);
  const auto B = static_cast<std::int64_t>(batch.positions.size());
  StepReport report;
  const ops::AdamStep adam = own.next_step(report, B);
  own.last = own.model->prepare(batch);
  own.refresh_scale();
  const auto moved = [&] { return each(own.last, [&](const Tensor& x) { return x.to(own.options.device()); }); };
  Tensor results;
  if (own.records(own.last)) results = own.take_recorded_step(own.last, adam);
  if (!results.defined()) results = own.take_step(moved(), adam, /*terms=*/{});
  own.finish(results, B, report);
  return report;
}

void Trainer::State::refresh_scale() {
  if (!scaler) return;
  if (!scale.defined()) scale = at::full({}, 1.0, options);
  scale.fill_(scaler->scale());
}

Tensor Trainer::State::take_step(const TrainingInputs& inputs, const ops::AdamStep& adam, const Tensor& terms) {
  const Tensor losses = differentiate(inputs);
  std::vector<ops::GradientPiece> gradient = taken_gradient();
  const Tensor norm = cleaned_norm(gradient);
  if (keep) kept = memory.joined(gradient);
  ops::adam_ema(
      values, gradient, first, second, averages, adam,
      {.terms = terms, .norm = norm, .clip_norm = settings.clip_norm, .skip_nonfinite = true, .ema_rests = rests});
  model->stepped();
  return at::cat({losses, norm.view(1)});
}

std::int64_t Trainer::State::part_of(std::int64_t B) const {
  const std::int64_t part = settings.micro_batch > 0 ? std::min(settings.micro_batch, B) : B;
  return fits > 0 ? std::min(fits, part) : part;
}

void Trainer::State::halve(std::int64_t part) {
  fits = (part + 1) / 2;
  for (auto& [name, tensor] : trained) tensor.mutable_grad() = Tensor();
  log::warn(
      "out of memory for {} images at once after {} images: the step is taken again, and all after it, with {} "
      "at once; sums are those of training.micro_batch: {}, whose last digits are others",
      part, images, fits, fits);
}

Tensor Trainer::State::differentiate(const TrainingInputs& inputs) {
  for (;;) {
    const std::int64_t part = part_of(inputs.positions.size(0));
    try {
      return differentiate_in_parts(inputs, part);
    } catch (const std::exception& error) {
      if (recording || part == 1 || !is_out_of_memory(error)) throw;
    }
    halve(part);  // when what the exception held is free
  }
}

Tensor Trainer::State::differentiate_in_parts(const TrainingInputs& inputs, std::int64_t part) const {
  const std::int64_t B = inputs.positions.size(0);
  std::vector<Tensor> losses, clock;
  for (std::int64_t at = 0; at < B; at += part) {
    const std::int64_t n = std::min(part, B - at);
    const Losses loss = model->loss(each(inputs, [&](const Tensor& x) { return x.narrow(0, at, n); }));
    const double fixed = scaler ? 1.0 : settings.loss_scale;
    const Tensor mean = loss.sum.mul(fixed / static_cast<double>(B * loss.elements));
    (scaler ? mean.mul(scale) : mean).backward();
    losses.push_back(loss.images);
    clock.push_back(loss.clock);
  }
  losses.insert(losses.end(), clock.begin(), clock.end());
  return at::cat(losses);  // [2B]
}

std::vector<ops::GradientPiece> Trainer::State::taken_gradient() {
  std::vector<Tensor> parts;
  for (auto& [name, tensor] : trained) {
    const Tensor gradient = std::exchange(tensor.mutable_grad(), Tensor());
    parts.push_back(gradient.defined() ? gradient.contiguous() : at::zeros_like(tensor.detach()));
  }
  std::vector<ops::GradientPiece> pieces = memory.pieces(parts);
  if (options.device().is_cuda()) pieces = {{0, memory.joined(pieces)}};
  return pieces;
}

Tensor Trainer::State::cleaned_norm(std::vector<ops::GradientPiece>& gradient) const {
  const at::NoGradGuard no_grad;
  Tensor norm;
  const auto is_clean = [&] { return norm.defined() && std::isfinite(norm.item<double>()); };
  // Looking first saves a pass over the gradient on the CPU; on a GPU it would wait.
  if (settings.nonfinite != NonFinite::kZero || options.device().is_cpu()) norm = ops::gradient_norm(gradient);
  if (settings.nonfinite == NonFinite::kZero && !is_clean()) {
    for (auto& piece : gradient) piece.values.nan_to_num_(0.0, 1e5, -1e5);
    norm = ops::gradient_norm(gradient);
  }
  if (scaler) norm = norm.div(scale);
  const bool is_cut = settings.clip_norm > 0.0 && settings.clip_norm < kLongest;
  if (is_cut || options.dtype() != at::kFloat) return norm;
  return norm.masked_fill(norm > kLongest, std::numeric_limits<double>::infinity());
}

ops::AdamStep Trainer::State::next_step(StepReport& report, std::int64_t batch) const {
  const std::int64_t learned = images - skipped_images;
  report.learning_rate = settings.learning_rate.at(learned);
  const EmaMoment moment{.step = steps + 1, .images = learned, .batch_size = batch};
  report.ema_beta = ema(moment);
  std::vector<double> betas = {report.ema_beta};
  for (const EmaDecay& track : tracks) betas.push_back(track(moment));
  return {.learning_rate = report.learning_rate,
          .beta1 = settings.beta1,
          .beta2 = settings.beta2,
          .eps = settings.eps,
          .weight_decay = settings.weight_decay,
          .step = steps + 1,
          .zero_nonfinite = false,
          .gradient_scale = scaler ? 1.0 / scaler->scale() : 1.0,
          .ema_beta = std::move(betas)};
}

void Trainer::State::finish(const Tensor& results, std::int64_t batch, StepReport& report) {
  const Tensor host = results.to(at::kCPU, at::kDouble);  // [2B + 1]
  const double* at = host.const_data_ptr<double>();
  report.losses.assign(at, at + batch);
  report.clock.assign(at + batch, at + 2 * batch);
  report.gradient_norm = at[2 * batch];
  for (const double loss : report.losses) report.loss += loss / static_cast<double>(batch);
  if (keep && scaler) kept.div_(scaler->scale());
  if (keep && settings.clip_norm > 0.0 && report.gradient_norm > settings.clip_norm)
    kept.mul_(settings.clip_norm / report.gradient_norm);
  report.skipped = !std::isfinite(report.gradient_norm);
  images += batch;
  report.images = images;
  if (report.skipped) {
    ++skipped;
    skipped_images += batch;
  } else {
    ++steps;
  }
  judge(report, batch);
}

}  // namespace edmund
