#include "classifier_training.h"

#include "edmund/core/philox.h"
#include "edmund/core/progress.h"
#include "edmund/core/stop.h"
#include "edmund/core/stopwatch.h"
#include "edmund/core/text.h"
#include "edmund/io/image_io.h"
#include "edmund/ops/pixels.h"
#include "edmund/ops/threads.h"
#include "kept_tensors.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <memory>
#include <numbers>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <utility>
#include <vector>

namespace edmund {
namespace {

constexpr std::string_view kKind = "edmund-classifier-training 1";
constexpr double kWeightDecay = 0.05;
constexpr double kInterval = 30.0;  // seconds of work that a crash may cost

/// Passes over the data: about the same work for every data set, some seconds for the digits, a
/// minute for Fashion-MNIST.
std::int64_t epochs_for(std::int64_t images, const ClassifierShape& shape) {
  const double pixels = static_cast<double>(shape.height * shape.width);
  const double seen = std::min(1.4e8 / pixels, 60.0 * static_cast<double>(images));
  return std::max<std::int64_t>(1, std::llround(seen / static_cast<double>(images)));
}

/// One cycle: up over the first fifth of the training, then down to zero along a cosine.
double learning_rate(double peak, std::int64_t step, std::int64_t steps) {
  const double done = (static_cast<double>(step) + 0.5) / static_cast<double>(steps);
  return peak * (done < 0.2 ? done / 0.2 : 0.5 * (1 + std::cos(std::numbers::pi * (done - 0.2) / 0.8)));
}

/// A training under way: weights, their moments, and how many steps they have come.
class Training {
 public:
  Training(const ClassifierShape& shape, const ClassifierSettings& settings)
      : weights_(initial_weights(shape, settings)), settings_(settings) {
    for (auto& [name, tensor] : weights_)
      if (!name.ends_with(".mean") && !name.ends_with(".variance")) learned_.push_back(tensor.requires_grad_());
    optimizer_ = std::make_unique<torch::optim::AdamW>(
        learned_, torch::optim::AdamWOptions(settings.learning_rate).weight_decay(kWeightDecay));
  }

  std::int64_t steps() const { return steps_; }

  void step(const Batch& data, std::int64_t batch, std::int64_t of) {
    const auto size = static_cast<std::uint64_t>(data.images.size(0));
    std::vector<std::int64_t> positions, rows;
    for (std::int64_t position = steps_ * batch; position < (steps_ + 1) * batch; ++position) {
      const auto at = static_cast<std::uint64_t>(position);
      positions.push_back(position);
      rows.push_back(static_cast<std::int64_t>(permuted(at % size, size, settings_.seed, at / size)));
    }
    const Tensor index = at::tensor(rows);
    const Tensor x = jittered(to_float(data.images.index_select(0, index)), settings_.seed, positions);
    const Tensor logits = forward(weights_, x, Mode::kTrain).logits;
    const Tensor loss = at::cross_entropy_loss(logits, data.labels.index_select(0, index));
    optimizer_->zero_grad();
    loss.backward();
    optimizer_->param_groups()[0].options().set_lr(learning_rate(settings_.learning_rate, steps_, of));
    optimizer_->step();
    ++steps_;
  }

  void keep(const std::filesystem::path& file) const {
    if (file.empty() || steps_ == 0) return;
    std::vector<std::pair<std::string, Tensor>> tensors;
    for (const auto& [name, tensor] : weights_) tensors.emplace_back("weights." + name, tensor.detach());
    for (std::size_t i = 0; i < learned_.size(); ++i) {
      const auto& moments = moments_of(i);
      tensors.emplace_back(format("first.{}", i), moments.exp_avg());
      tensors.emplace_back(format("second.{}", i), moments.exp_avg_sq());
    }
    write_kept_tensors(file, kKind, tensors, {{"steps", std::to_string(steps_)}});
  }

  void go_on(const std::filesystem::path& file) {
    const auto kept = file.empty() ? std::nullopt : kept_tensors(file, kKind, "the classifier is trained anew");
    if (!kept) return;
    const at::NoGradGuard no_gradients;
    steps_ = parse_integer(kept->metadata.at("steps")).value_or(0);
    for (auto& [name, tensor] : weights_) tensor.copy_(kept->at("weights." + name));
    for (std::size_t i = 0; i < learned_.size(); ++i) {
      auto moments = std::make_unique<torch::optim::AdamWParamState>();
      moments->step(steps_);
      moments->exp_avg(kept->at(format("first.{}", i)));
      moments->exp_avg_sq(kept->at(format("second.{}", i)));
      optimizer_->state()[learned_[i].unsafeGetTensorImpl()] = std::move(moments);
    }
  }

  ClassifierWeights weights() && {
    for (auto& [name, tensor] : weights_) tensor = tensor.detach();
    return std::move(weights_);
  }

 private:
  const torch::optim::AdamWParamState& moments_of(std::size_t i) const {
    return static_cast<const torch::optim::AdamWParamState&>(
        *optimizer_->state().at(learned_[i].unsafeGetTensorImpl()));
  }

  ClassifierWeights weights_;
  ClassifierSettings settings_;
  std::vector<Tensor> learned_;  // those of the weights that have gradients
  std::unique_ptr<torch::optim::AdamW> optimizer_;
  std::int64_t steps_ = 0;
};

}  // namespace

ClassifierWeights trained_classifier(const Batch& data, const ClassifierShape& shape,
                                     const ClassifierSettings& settings, const std::filesystem::path& unfinished) {
  const ops::LibraryThreads library(ops::kLibraryThreads);  // the same weights on every machine
  Training training(shape, settings);
  training.go_on(unfinished);
  const std::int64_t size = data.images.size(0), batch = std::min(settings.batch_size, size);
  const std::int64_t epochs = settings.epochs > 0 ? settings.epochs : epochs_for(size, shape);
  const std::int64_t steps = std::max<std::int64_t>(1, epochs * size / batch);
  Progress progress("classifier", "images", steps * batch, training.steps() * batch);
  for (Stopwatch since_kept; training.steps() < steps;) {
    if (StopRequest::requested() || since_kept.seconds() > kInterval) {
      training.keep(unfinished);
      since_kept = {};
    }
    StopRequest::check();
    training.step(data, batch, steps);
    progress.update(training.steps() * batch);
  }
  progress.finish();
  return std::move(training).weights();
}

}  // namespace edmund
