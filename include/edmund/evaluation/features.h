#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"
#include "edmund/core/tensor.h"
#include "edmund/data/dataset.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace edmund {

class Classifier;

/// What the metrics of some features are called.
struct MetricNames {
  std::string frechet, kernel, score;  // "FID", "KID", "Inception score"
};

/// Images uint8 [B, C, H, W] → features. The name is part of every reported metric.
class FeatureExtractor {
 public:
  virtual ~FeatureExtractor() = default;
  /// "classifier", "pixels", "pca" …, without the dimension.
  virtual std::string name() const = 0;
  /// float32 or float64 [B, dim], any batch size (works in blocks inside). Throws Error for images
  /// of another shape than it was made for.
  virtual Tensor extract(const Tensor& images) const = 0;
  /// One line about how the extractor was had, for reports: file and checksum, or accuracy of the
  /// classifier.
  virtual std::string provenance() const { return ""; }
  /// All that the features depend on beside the image: name, preprocessing, checksum of the
  /// weights. Empty: not known, so features are not kept and reference statistics cannot be
  /// compared.
  virtual std::string fingerprint() const { return ""; }
  /// Whether reading features back is faster than making them.
  virtual bool worth_keeping() const { return true; }
  /// Names that literature gives to metrics of exactly these features; none for most.
  virtual std::optional<MetricNames> literature_names() const { return std::nullopt; }
  /// Class logits [B, classes] that follow from features [B, dim], for extractors that are
  /// classifiers.
  virtual std::optional<Tensor> logits(const Tensor& features) const {
    static_cast<void>(features);
    return std::nullopt;
  }
  /// The classifier whose features these are; none for other extractors.
  virtual const Classifier* classifier() const { return nullptr; }
};

/// `labeled`: real images of the run's data, for extractors that learn from them (pca, classifier);
/// `held_out`: real images not trained on, for the classifier's accuracy; `cache`: folder that
/// keeps trained classifiers by the checksum of their data and settings, none if empty.
struct FeatureContext {
  const Dataset& labeled;
  const Dataset* held_out = nullptr;
  std::uint64_t seed = 0;
  std::filesystem::path cache;
};
using FeatureFactory = std::unique_ptr<FeatureExtractor>(Options&, const FeatureContext&);

/// Names of the metrics of `dims` features: "FID" … only if literature calls them so, else "Fréchet
/// distance (classifier, 64-d)" ….
MetricNames metric_names(const FeatureExtractor& features, std::int64_t dims);

/// classifier, efficientnet-lite0, identity, inception, pca.
std::span<const Entry<FeatureFactory>> feature_table();
/// Extractor that `type` names (default classifier if the data has labels, else pca). Learns or
/// loads at once.
std::unique_ptr<FeatureExtractor> make_features(Options& options, const FeatureContext& context);

}  // namespace edmund
