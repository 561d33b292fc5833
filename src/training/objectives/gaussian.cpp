#include "gaussian.h"

#include "edmund/core/error.h"
#include "edmund/core/philox.h"
#include "edmund/networks/network.h"
#include "edmund/ops/pixels.h"
#include "edmund/ops/random.h"
#include "uncertainty.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <optional>
#include <vector>

namespace edmund::objectives {
namespace {

double unit_draw(std::uint64_t seed, Stream stream, std::int64_t position) {
  return open_unit(RandomKey{seed, stream, static_cast<std::uint64_t>(position), 0}.words(0)[0]);
}

// σ by the quantile function, in double precision.
Tensor noise_levels(const ObjectiveContext& context, const std::vector<std::int64_t>& positions) {
  const auto B = static_cast<std::int64_t>(positions.size());
  Tensor sigma = at::empty({B}, at::kDouble);
  for (std::int64_t i = 0; i < B; ++i) {
    const std::int64_t position = positions[static_cast<std::size_t>(i)];
    const double v = unit_draw(context.seed, Stream::kNoiseLevel, position);
    const double u = context.settings.stratified ? stratified(position, context.batch_size, v) : v;
    sigma.data_ptr<double>()[i] = context.levels(u);
  }
  return sigma;
}

// Ho & Salimans 2022, algorithm 1.
Tensor dropped_labels(const ObjectiveContext& context, const TrainingBatch& batch) {
  Tensor out = batch.labels.to(at::kCPU, at::kLong, /*non_blocking=*/false, /*copy=*/true).contiguous();
  auto* label = out.data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < batch.positions.size(); ++i)
    if (unit_draw(context.seed, Stream::kLabelDropout, batch.positions[i]) < context.settings.label_dropout)
      label[i] = context.num_classes;
  return out;
}

class Gaussian : public Trainable {
 public:
  Gaussian(const ObjectiveContext& context, const LossFunction& loss, const DenoisingModel& model)
      : context_(context), loss_(loss), model_(model) {
    const std::vector<Tensor> weights = network().parameters();
    require(std::ranges::any_of(weights, [](const Tensor& weight) { return weight.numel() > 0; }),
            "training: the network has no weights that could be trained; one of type exported keeps those of its file");
    const at::TensorOptions options = weights.front().options().requires_grad(false);
    dtype_ = at::typeMetaToScalarType(options.dtype());
    const ObjectiveSettings& settings = context.settings;
    if (settings.uncertainty)
      uncertainty_.emplace(
          context.seed, options, settings.uncertainty_channels,
          settings.uncertainty_normalized ? Uncertainty::Weight::kNormalized : Uncertainty::Weight::kFree);
  }

  Network& network() const override { return model_.network(); }

  NamedTensors parameters() const override {
    NamedTensors out = parameters_of(network());
    if (uncertainty_) out.emplace_back("uncertainty.weight", uncertainty_->weight());
    return out;
  }

  LossClock clock() const override {
    return {.name = "sigma", .range = {context_.levels(0.005), context_.levels(0.995)}};
  }

  TrainingInputs prepare(const TrainingBatch& batch) const override {
    return {.images = batch.images,
            .positions = at::tensor(at::ArrayRef<std::int64_t>(batch.positions)),
            .labels = context_.num_classes > 0 ? dropped_labels(context_, batch) : Tensor(),
            .drawn = {noise_levels(context_, batch.positions).to(dtype_)},
            .augment = batch.augment.defined() ? batch.augment.to(dtype_) : Tensor()};
  }

  void stepped() override {
    network().stepped();
    if (uncertainty_) uncertainty_->normalize();
  }

  Losses loss(const TrainingInputs& inputs) const override {
    const ops::DropoutKey dropout{.seed = context_.seed, .positions = inputs.positions};
    const bool is_float = inputs.images.is_floating_point();
    const Tensor x0 = is_float ? inputs.images.to(dtype_) : to_float(inputs.images, dtype_),
                 sigma = inputs.drawn.front();
    const Tensor eps =
        ops::normal({context_.seed, Stream::kTrainingNoise, inputs.positions, 0, dtype_}, x0.sizes().slice(1));
    const Condition condition{.labels = inputs.labels, .augment = inputs.augment, .dropout = &dropout};
    const Tensor loss = loss_(model_, {.x0 = x0, .eps = eps, .sigma = sigma, .condition = condition});
    return {.sum = (uncertainty_ ? uncertainty_->weighted(loss, sigma) : loss).sum(),
            .elements = context_.settings.reduction == Reduction::kMean ? loss.numel() / loss.size(0) : 1,
            .images = loss.detach().mean({1, 2, 3}),
            .clock = sigma};
  }

 private:
  ObjectiveContext context_;
  LossFunction loss_;
  DenoisingModel model_;
  at::ScalarType dtype_ = at::kFloat;
  std::optional<Uncertainty> uncertainty_;
};

}  // namespace

Objective gaussian(const ObjectiveContext& context, const LossFunction& loss) {
  return [context, loss](const DenoisingModel& model) { return std::make_unique<Gaussian>(context, loss, model); };
}

}  // namespace edmund::objectives
