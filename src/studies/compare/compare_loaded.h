#pragma once

#include "edmund/evaluation/bootstrap.h"
#include "edmund/evaluation/features.h"
#include "edmund/studies/compare.h"

#include <optional>

namespace edmund {

/// Real images as an extractor sees them: one for all models that agree in both.
struct Comparison::RealSet {
  std::string fingerprint;  // of the extractor
  Tensor images;            // uint8 [M, C, H, W]
  Tensor features = {};     // float64 [M, D]; undefined until needed, as the resamples are
  std::optional<RealResamples> resamples = {};
};

/// A model with what scores its images.
struct Comparison::Loaded {
  TrainedModel trained;
  std::string weights = {};   // checksum
  std::string sampling = {};  // of its config, YAML
  std::unique_ptr<FeatureExtractor> features = {};
  std::shared_ptr<RealSet> real = {};

  const Tensor& reference() const {
    if (!real->features.defined()) real->features = features->extract(real->images).to(at::kDouble);
    return real->features;
  }
  RealResamples& resamples(const BootstrapSettings& settings) const {
    if (!real->resamples) real->resamples.emplace(reference(), settings);
    return *real->resamples;
  }
};

}  // namespace edmund
