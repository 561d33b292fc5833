// Whether a training is well: what each step tells of it, and what a checkpoint is told.
#include "edmund/core/format.h"
#include "edmund/core/text.h"
#include "edmund/networks/network.h"
#include "edmund/training/counters.h"
#include "trainer_state.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <cmath>
#include <string_view>

namespace edmund {
namespace {

std::string spelled(Diverged::Cause cause, const Streak& streak, double rise) {
  switch (cause) {
    case Diverged::Cause::kRise:
      return format("the loss has risen to {} times its lowest, in {} steps in a row", short_number(rise),
                    streak.steps);
    case Diverged::Cause::kLoss: return format("no finite loss in {} steps in a row", streak.steps);
    default: return format("no finite gradient in {} steps in a row", streak.steps);
  }
}

}  // namespace

void Trainer::State::judge(const StepReport& report, std::int64_t batch) {
  using Cause = Diverged::Cause;
  last_loss = report.loss;
  inherited_fault.clear();
  if (!report.skipped) trend.add(report.loss, batch);
  // The scale failed then, not the training.
  if (scaler && scaler->update(!report.skipped)) return;

  const bool rose = settings.max_rise > 0.0 && trend.rise() > settings.max_rise;
  if (!report.skipped && std::isfinite(report.loss) && !rose) {
    streak = {};
    troubled.reset();
    return;
  }
  const Cause cause = report.skipped ? Cause::kGradient : std::isfinite(report.loss) ? Cause::kRise : Cause::kLoss;
  if (!troubled)
    troubled = ExaminedBatch{.inputs = last,
                             .losses = report.losses,
                             .clock = report.clock,
                             .gradient_norm = report.gradient_norm,
                             .clock_name = model->clock().name};
  streak.add(report.clock, images - batch);
  if (streak.steps < settings.max_skipped) return;
  throw Diverged(cause, format("training: {} (images {} to {}, {} {} to {})", spelled(cause, streak, trend.rise()),
                               streak.first_image, images - 1, model->clock().name, short_number(streak.low),
                               short_number(streak.high)));
}

void Trainer::State::save_health(std::map<std::string, double>& counters) const {
  trend.save(counters);
  if (scaler) scaler->save(counters);
  if (fits > 0) counters["micro_batch"] = static_cast<double>(fits);
  if (streak.steps == 0) return;
  counters["streak.steps"] = static_cast<double>(streak.steps);
  counters["streak.first_image"] = static_cast<double>(streak.first_image);
  if (!std::isfinite(streak.low) || !std::isfinite(streak.high)) return;
  counters["streak.low"] = streak.low;
  counters["streak.high"] = streak.high;
}

void Trainer::State::restore_health(const std::map<std::string, double>& counters) {
  trend.restore(counters);
  if (scaler) scaler->restore(counters);
  fits = static_cast<std::int64_t>(counter(counters, "micro_batch"));
  streak = {};
  streak = {.steps = static_cast<std::int64_t>(counter(counters, "streak.steps")),
            .first_image = static_cast<std::int64_t>(counter(counters, "streak.first_image")),
            .low = counter(counters, "streak.low", streak.low),
            .high = counter(counters, "streak.high", streak.high)};
  last = {};
  troubled.reset();
}

std::string Trainer::fault() const {
  const State& own = *state_;
  if (own.streak.steps > 0)
    return format("the last {} steps went wrong, from image {} on", own.streak.steps, own.streak.first_image);
  if (own.trend.rise() > LossTrend::kBound)
    return format("the loss has risen to {} times its lowest", short_number(own.trend.rise()));
  if (!own.last.images.defined()) return own.inherited_fault;
  // The report's loss is of the weights before the step.
  const at::NoGradGuard no_grad;
  const std::int64_t B = own.last.positions.size(0), part = own.part_of(B);
  std::vector<Tensor> losses;
  for (std::int64_t at = 0; at < B; at += part)
    losses.push_back(own.model
                         ->loss(each(own.last,
                                     [&](const Tensor& x) {
                                       return x.narrow(0, at, std::min(part, B - at)).to(own.options.device());
                                     }))
                         .images);
  const auto after = at::cat(losses).to(at::kDouble).mean().item<double>();
  const double before = std::max(own.last_loss, own.trend.mean());
  if (std::isfinite(after) && after <= LossTrend::kBound * before) return "";
  return format("the loss of the last batch went from {} to {} by its step", short_number(own.last_loss),
                short_number(after));
}

const LossTrend& Trainer::trend() const { return state_->trend; }

const ExaminedBatch* Trainer::troubled() const { return state_->troubled ? &*state_->troubled : nullptr; }

ExaminedBatch Trainer::examine(const TrainingInputs& inputs) {
  State& own = *state_;
  const auto moved = each(inputs, [&](const Tensor& x) { return x.to(own.options.device()); });
  own.refresh_scale();
  const Tensor host = own.differentiate(moved).to(at::kCPU, at::kDouble);  // [2B]
  std::vector<ops::GradientPiece> gradient = own.taken_gradient();
  const double* at = host.const_data_ptr<double>();
  const std::int64_t B = inputs.positions.size(0);
  return {.inputs = inputs,
          .losses = {at, at + B},
          .clock = {at + B, at + 2 * B},
          .gradient_norm = own.cleaned_norm(gradient).item<double>(),
          .clock_name = own.model->clock().name};
}

}  // namespace edmund
