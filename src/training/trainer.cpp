#include "edmund/training/trainer.h"

#include "edmund/core/error.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "edmund/ops/ops.h"
#include "edmund/ops/pixels.h"
#include "trainer_state.h"
#include "training_draws.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <cmath>
#include <utility>

namespace edmund {
namespace {

NamedTensors parameters_of(const Network& network) {
  NamedTensors out;
  for (const auto& entry : network.named_parameters()) out.emplace_back(entry.key(), entry.value());
  return out;
}

/// The same parameters as `trained`, of the EMA network; the uncertainty has no EMA and stands there as a copy.
NamedTensors averaged_tensors(const Network& network, const NamedTensors& trained) {
  NamedTensors out = parameters_of(network);
  for (auto& [name, tensor] : out) tensor.requires_grad_(false);
  for (std::size_t i = out.size(); i < trained.size(); ++i)
    out.emplace_back(trained[i].first, trained[i].second.detach().clone());
  return out;
}

Tensor rows(const Tensor& tensor, std::int64_t first, std::int64_t count) {
  return tensor.defined() ? tensor.narrow(0, first, count) : tensor;
}

}  // namespace

void append(std::vector<double>& out, const Tensor& values) {
  const Tensor host = values.detach().to(at::kCPU, at::kDouble).contiguous();
  out.insert(out.end(), host.data_ptr<double>(), host.data_ptr<double>() + host.numel());
}

NamedTensors Trainer::State::trained_tensors() {
  NamedTensors out = parameters_of(model.network());
  if (uncertainty) out.emplace_back(kUncertainty, uncertainty->weight());
  return out;
}

void Trainer::State::copy_buffers() {
  const at::NoGradGuard no_grad;
  auto targets = ema_model.network().named_buffers();
  for (const auto& entry : model.network().named_buffers()) targets[entry.key()].copy_(entry.value());
}

/// Adds up the gradient of the whole batch, part by part, and notes loss and σ of each image.
void Trainer::State::accumulate(const Tensor& x0, const TrainingDraws& draws,
                                const std::vector<std::int64_t>& positions, StepReport& report) {
  const std::int64_t B = x0.size(0), part = settings.micro_batch > 0 ? settings.micro_batch : B;
  const std::int64_t count = settings.reduction == Reduction::kSum ? B : x0.numel();
  for (std::int64_t at = 0; at < B; at += part) {
    const std::int64_t n = std::min(part, B - at);
    const Tensor sigma = rows(draws.sigma, at, n);
    const ops::DropoutKey dropout{.seed = settings.seed,
                                  .samples = {positions.begin() + at, positions.begin() + at + n}};
    const Condition condition{.labels = rows(draws.labels, at, n), .augment = {}, .dropout = &dropout};
    const Tensor loss = model.loss(rows(x0, at, n), rows(draws.eps, at, n), sigma, condition);  // [n, C, H, W]
    append(report.sigmas, sigma);
    append(report.losses, loss.mean({1, 2, 3}));
    objective(loss, sigma, count).backward();
  }
  for (const double loss : report.losses) report.loss += loss / static_cast<double>(B);
}

Tensor Trainer::State::objective(const Tensor& loss, const Tensor& sigma, std::int64_t count) const {
  Tensor out = loss;
  if (uncertainty) {
    const Tensor u = uncertainty->log_variance(sigma);
    out = loss / u.exp() + u;
  }
  return out.sum().mul(settings.loss_scale / static_cast<double>(count));
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

void Trainer::State::replace_nonfinite(std::vector<ops::GradientPiece>& gradient) {
  for (auto& piece : gradient) piece.values.nan_to_num_(0.0, 1e5, -1e5);
}

void Trainer::State::clean(std::vector<ops::GradientPiece>& gradient, StepReport& report) {
  const auto norm = [&] { return ops::gradient_norm(gradient).item<double>(); };
  report.gradient_norm = norm();
  if (settings.nonfinite != NonFinite::kZero || std::isfinite(report.gradient_norm)) return;
  replace_nonfinite(gradient);
  report.gradient_norm = norm();
}

void Trainer::State::skip(const StepReport& report, std::int64_t batch) {
  ++skipped;
  skipped_images += batch;
  streak.add(report.sigmas, images);
  images += batch;
  require(streak.steps < settings.max_skipped,
          "training: no finite gradient in {} steps in a row (images {} to {}, sigma {} to {}); {}, with a lower "
          "learning_rate or "
          "with clip_norm",
          streak.steps, streak.first_image, images - 1, streak.low, streak.high,
          last_checkpoint.empty() ? "train anew" : "go back to " + last_checkpoint);
}

ops::AdamStep Trainer::State::next_step(StepReport& report, std::int64_t batch) const {
  const std::int64_t learned = images - skipped_images;
  report.learning_rate = settings.learning_rate.at(learned);
  report.ema_beta = ema({.step = steps + 1, .images = learned, .batch_size = batch});
  return {.learning_rate = report.learning_rate,
          .beta1 = settings.beta1,
          .beta2 = settings.beta2,
          .eps = settings.eps,
          .weight_decay = settings.weight_decay,
          .step = steps + 1,
          .zero_nonfinite = false,
          .ema_beta = {report.ema_beta}};
}

void Trainer::State::count(std::int64_t batch) {
  ++steps;
  images += batch;
  streak = {};
}

void Trainer::State::update(const std::vector<ops::GradientPiece>& gradient, StepReport& report, std::int64_t batch) {
  ops::AdamStep args = next_step(report, batch);
  count(batch);
  if (settings.clip_norm > 0.0 && report.gradient_norm > settings.clip_norm)
    args.gradient_scale = settings.clip_norm / report.gradient_norm;
  if (keep) kept = memory.joined(gradient).mul_(args.gradient_scale);
  ops::adam_ema(values, gradient, first, second, averages, args);
}

Trainer::Trainer(DenoisingModel model, DenoisingModel ema_model, NoiseLevels levels, EmaDecay ema,
                 TrainingSettings settings)
    : state_(new State{.model = std::move(model),
                       .ema_model = std::move(ema_model),
                       .levels = std::move(levels),
                       .ema = std::move(ema),
                       .settings = settings}) {
  State& own = *state_;
  TORCH_CHECK(own.model.shared_network() != own.ema_model.shared_network(), "the EMA needs a network of its own");
  load_state(own.ema_model.network(), state_dict(own.model.network()), "EMA model");
  NamedTensors averaged = averaged_tensors(own.ema_model.network(), own.trained);
  own.memory.adopt(own.trained, own.values);
  own.memory.adopt(averaged, own.averages.front());
  own.model.network().train();
  own.ema_model.network().eval();
}

Trainer::~Trainer() = default;

StepReport Trainer::step(const TrainingBatch& batch) {
  State& own = *state_;
  TORCH_CHECK(!batch.positions.empty() && batch.positions.front() == own.images, "expected the batch at position ",
              own.images);
  if (own.records(batch)) return own.step_recorded(batch);
  const Tensor x0 =
      to_float(batch.images.to(own.options.device()), at::typeMetaToScalarType(own.options.dtype()));  // [B, C, H, W]
  return step(x0, draws(batch.positions, x0.sizes().slice(1), batch.labels), batch.positions);
}

StepReport Trainer::step(const Tensor& x0, const TrainingDraws& draws, const std::vector<std::int64_t>& positions) {
  State& own = *state_;
  const std::int64_t B = x0.size(0);
  TORCH_CHECK(x0.dim() == 4 && B > 0 && draws.eps.sizes() == x0.sizes() && draws.sigma.dim() == 1 &&
                  draws.sigma.size(0) == B && static_cast<std::int64_t>(positions.size()) == B,
              "training step: draws do not fit ", x0.sizes());
  StepReport report;
  own.accumulate(x0, draws, positions, report);
  std::vector<ops::GradientPiece> gradient = own.taken_gradient();
  own.clean(gradient, report);
  report.skipped = own.settings.nonfinite == NonFinite::kSkip && !std::isfinite(report.gradient_norm);
  if (report.skipped) {
    own.skip(report, B);
  } else {
    own.update(gradient, report, B);
  }
  report.images = own.images;
  return report;
}

TrainingDraws Trainer::draws(const std::vector<std::int64_t>& positions, at::IntArrayRef image_shape,
                             const Tensor& labels) const {
  return make_draws(state_->settings, state_->levels, positions, image_shape, labels, state_->options);
}

std::int64_t Trainer::images() const { return state_->images; }
std::int64_t Trainer::steps() const { return state_->steps; }
std::int64_t Trainer::skipped() const { return state_->skipped; }

void Trainer::keep_gradients(bool keep) { state_->keep = keep; }

NamedTensors Trainer::last_gradients() const {
  return state_->kept.defined() ? state_->memory.views(state_->kept) : NamedTensors();
}

NamedTensors Trainer::weights(bool ema) const {
  if (ema) state_->copy_buffers();
  return state_dict((ema ? state_->ema_model : state_->model).network());
}

DenoisingModel Trainer::ema_model() {
  state_->copy_buffers();
  return state_->ema_model;
}

void Trainer::note_checkpoint(const std::filesystem::path& folder) { state_->last_checkpoint = folder.string(); }

}  // namespace edmund
