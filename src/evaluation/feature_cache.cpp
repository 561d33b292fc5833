#include "edmund/evaluation/feature_cache.h"

#include "edmund/core/files.h"
#include "edmund/core/format.h"
#include "feature_factories.h"
#include "kept_tensors.h"

#include <string>
#include <utility>

namespace edmund {
namespace {

constexpr std::string_view kKind = "edmund-features 1";

std::optional<Tensor> stored(const std::filesystem::path& file, const std::string& key, std::int64_t images) {
  const auto content = kept_tensors(file, kKind, "the features are computed anew");
  if (!content) return std::nullopt;
  const Tensor& features = content->at("features");
  const auto known = content->metadata.find("key");
  const bool same =
      known != content->metadata.end() && known->second == key && features.dim() == 2 && features.size(0) == images;
  return same ? std::optional(features) : std::nullopt;
}

class CachedFeatures final : public FeatureExtractor {
 public:
  CachedFeatures(std::unique_ptr<FeatureExtractor> features, std::filesystem::path folder)
      : features_(std::move(features)), folder_(std::move(folder)) {}

  Tensor extract(const Tensor& images) const override {
    const std::string key = fingerprint() + ", images " + tensor_checksum(images);
    const auto file = folder_ / format("features-{}.bin", checksum(key));
    if (auto found = stored(file, key, images.size(0))) return *found;
    Tensor features = features_->extract(images);
    write_kept_tensors(file, kKind, {{"features", features}}, {{"key", key}});
    return features;
  }

  std::string name() const override { return features_->name(); }
  std::string provenance() const override { return features_->provenance(); }
  std::string fingerprint() const override { return features_->fingerprint(); }
  std::optional<MetricNames> literature_names() const override { return features_->literature_names(); }
  std::optional<Tensor> logits(const Tensor& features) const override { return features_->logits(features); }
  const Classifier* classifier() const override { return features_->classifier(); }

 private:
  std::unique_ptr<FeatureExtractor> features_;
  std::filesystem::path folder_;
};

}  // namespace

std::unique_ptr<FeatureExtractor> cached_features(std::unique_ptr<FeatureExtractor> features,
                                                  const std::filesystem::path& folder) {
  if (folder.empty() || features->fingerprint().empty() || !features->worth_keeping()) return features;
  return std::make_unique<CachedFeatures>(std::move(features), folder);
}

}  // namespace edmund
