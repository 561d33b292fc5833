#pragma once

#include "edmund/evaluation/features.h"
#include "edmund/evaluation/scores.h"
#include "edmund/studies/compare.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace edmund {

/// Real images as an extractor sees them: one for all models that agree in both.
struct Comparison::RealSet {
  std::string key;                          // of extractor and data; "": shared with nobody
  std::optional<Reference> reference = {};  // read when it is needed
};

/// A model with what scores its images.
struct Comparison::Loaded {
  TrainedModel trained;
  std::string weights = {};   // checksum
  std::string sampling = {};  // of its config, YAML
  std::unique_ptr<FeatureExtractor> features = {};
  std::shared_ptr<RealSet> real = {};

  /// `unfinished`: folder for what an interrupted reading has summed up.
  const Reference& reference(const ComparePlan& plan, const std::filesystem::path& unfinished) const {
    if (!real->reference)
      real->reference.emplace(*features,
                              real_features(*features, *trained.experiment.data,
                                            {.kept = plan.real, .seed = plan.seed, .unfinished = unfinished}),
                              plan.seed, ScoreSettings{.metrics = plan.metrics});
    return *real->reference;
  }
};

}  // namespace edmund
