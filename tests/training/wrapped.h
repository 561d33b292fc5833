#pragma once

#include "edmund/training/trainable.h"

#include <ATen/ops/full.h>
#include <limits>
#include <memory>
#include <set>
#include <utility>

namespace edmund::testing {

/// An objective that does what another one does, for tests that change a part of it.
class Wrapped : public Trainable {
 public:
  explicit Wrapped(std::unique_ptr<Trainable> inner) : inner_(std::move(inner)) {}
  Network& network() const override { return inner_->network(); }
  NamedTensors parameters() const override { return inner_->parameters(); }
  LossClock clock() const override { return inner_->clock(); }
  TrainingInputs prepare(const TrainingBatch& batch) const override { return inner_->prepare(batch); }
  Losses loss(const TrainingInputs& inputs) const override { return inner_->loss(inputs); }
  void stepped() override { inner_->stepped(); }

 private:
  std::unique_ptr<Trainable> inner_;
};

/// Its loss is not a number in batches that begin at these positions.
class Poisoned : public Wrapped {
 public:
  Poisoned(std::unique_ptr<Trainable> inner, std::set<std::int64_t> positions)
      : Wrapped(std::move(inner)), positions_(std::move(positions)) {}

  TrainingInputs prepare(const TrainingBatch& batch) const override {
    TrainingInputs out = Wrapped::prepare(batch);
    const bool bad = positions_.contains(batch.positions.front());
    out.drawn.push_back(at::full({out.positions.size(0)}, bad ? std::numeric_limits<float>::quiet_NaN() : 1.0F));
    return out;
  }
  Losses loss(const TrainingInputs& inputs) const override {
    Losses out = Wrapped::loss(inputs);
    const Tensor& factor = inputs.drawn.back();
    out.sum = out.sum * factor.prod();
    out.images = out.images * factor;
    return out;
  }

 private:
  std::set<std::int64_t> positions_;
};

}  // namespace edmund::testing
