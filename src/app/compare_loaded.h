#pragma once

#include "edmund/app/compare.h"
#include "edmund/evaluation/features.h"

namespace edmund {

/// A model with what scores its images.
struct Comparison::Loaded {
  TrainedModel trained;
  std::string weights;   // checksum
  std::string sampling;  // of its config, YAML
  std::unique_ptr<FeatureExtractor> features;
  Batch real;
  Tensor real_features;  // float64 [M, D]

  const Tensor& reference() {
    if (!real_features.defined()) real_features = features->extract(real.images).to(at::kDouble);
    return real_features;
  }
};

}  // namespace edmund
