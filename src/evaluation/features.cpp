#include "edmund/evaluation/features.h"

#include "feature_factories.h"

#include <algorithm>
#include <array>

namespace edmund {

namespace {

constexpr std::array<Entry<FeatureFactory>, 4> kFeatures = {{
    {"classifier", "penultimate layer of a small CNN which edmund trains on the labeled data", "-",
     make_classifier_features},
    {"efficientnet-lite0", "1,280 ImageNet features, from a safetensors file", "Tan & Le 2019",
     make_efficientnet_features},
    {"identity", "the pixels themselves, in [-1, 1]", "-", make_identity_features},
    {"pca", "pixels along the principal components of the data", "Pearson 1901", make_pca_features},
}};

}  // namespace

std::span<const Entry<FeatureFactory>> feature_table() { return kFeatures; }

std::unique_ptr<FeatureExtractor> make_features(Options& options, const FeatureContext& context) {
  const std::string_view fallback = context.labeled.info().num_classes > 1 ? "classifier" : "pca";
  return chosen(feature_table(), options, fallback).make(options, context);
}

}  // namespace edmund
