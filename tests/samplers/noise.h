#pragma once

#include "edmund/core/error.h"
#include "edmund/diffusion/noise_source.h"

#include <ATen/ops/zeros.h>
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <cstdint>
#include <utility>

namespace edmund::testing {

/// Draws that were stored: the k-th call gives draws[k].
class ReplayedNoise : public NoiseSource {
 public:
  explicit ReplayedNoise(Tensor draws) : draws_(std::move(draws)) {}
  Tensor normal(at::IntArrayRef) override {
    require(next_ < draws_.size(0), "replayed noise: a sampler asked for more than the {} stored draws",
            draws_.size(0));
    return draws_[next_++];
  }
  std::int64_t used() const { return next_; }

 private:
  Tensor draws_;
  std::int64_t next_ = 0;
};

/// For samplers that must not draw.
class NoNoise : public NoiseSource {
 public:
  Tensor normal(at::IntArrayRef) override { fail("this sampler must not draw noise"); }
};

/// Draws of nothing for one image: how many a sampler asks for.
class CountedDraws : public NoiseSource {
 public:
  Tensor normal(at::IntArrayRef image_shape) override {
    ++draws_;
    return at::zeros(image_shape, at::kDouble).unsqueeze(0);
  }
  std::int64_t draws() const { return draws_; }

 private:
  std::int64_t draws_ = 0;
};

/// The k-th draw is 1 in image first + k and 0 elsewhere: together with linear data it shows what a
/// sampler does with each draw.
class UnitDraws : public NoiseSource {
 public:
  UnitDraws(std::int64_t batch, std::int64_t first) : batch_(batch), next_(first) {}
  Tensor normal(at::IntArrayRef image_shape) override {
    std::vector<std::int64_t> shape{batch_};
    shape.insert(shape.end(), image_shape.begin(), image_shape.end());
    require(next_ < batch_, "unit draws: a sampler asked for more than {} draws", batch_);
    Tensor out = at::zeros(shape, at::kDouble);
    out[next_++] = 1.0;
    return out;
  }

 private:
  std::int64_t batch_, next_;
};

}  // namespace edmund::testing
