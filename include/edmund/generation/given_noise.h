#pragma once

#include "edmund/core/tensor.h"
#include "edmund/diffusion/forbidden_noise.h"

#include <memory>
#include <string>
#include <utility>

namespace edmund {

/// Noise that is there already, as the one draw of a sampler that follows the ODE: the first call
/// returns it, [B, C, H, W], any further one throws Error with the complaint.
class GivenNoise : public NoiseSource {
 public:
  GivenNoise(Tensor noise, std::string complaint) : noise_(std::move(noise)), none_(std::move(complaint)) {}
  Tensor normal(at::IntArrayRef image_shape) override {
    return noise_.defined() ? std::exchange(noise_, Tensor()) : none_.normal(image_shape);
  }

 private:
  Tensor noise_;  // undefined once it was drawn
  ForbiddenNoise none_;
};

/// Starting noise that is there already, [B, C, H, W], before the further draws of another source,
/// whose own first draw it replaces.
class FirstNoise : public NoiseSource {
 public:
  FirstNoise(Tensor first, std::unique_ptr<NoiseSource> others)
      : first_(std::move(first)), others_(std::move(others)) {}
  Tensor normal(at::IntArrayRef image_shape) override {
    const Tensor next = others_->normal(image_shape);
    return first_.defined() ? std::exchange(first_, Tensor()) : next;
  }

 private:
  Tensor first_;  // undefined once it was drawn
  std::unique_ptr<NoiseSource> others_;
};

}  // namespace edmund
