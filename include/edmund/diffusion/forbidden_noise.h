#pragma once

#include "edmund/core/error.h"
#include "edmund/diffusion/noise_source.h"

#include <string>
#include <utility>

namespace edmund {

/// The noise of a sampler that must not ask for any: throws Error with the complaint if it does.
class ForbiddenNoise : public NoiseSource {
 public:
  explicit ForbiddenNoise(std::string complaint) : complaint_(std::move(complaint)) {}
  Tensor normal(at::IntArrayRef) override { fail("{}", complaint_); }

 private:
  std::string complaint_;
};

}  // namespace edmund
