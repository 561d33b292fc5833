// A cache file is a line "edmund-features 1 CHECKSUM" and a safetensors file that has this
// checksum.

#include "edmund/evaluation/feature_cache.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/io/tensor_file.h"
#include "feature_factories.h"

#include <string>
#include <utility>

namespace edmund {
namespace {

constexpr std::string_view kMagic = "edmund-features 1 ";
constexpr std::size_t kChecksum = 16;

std::optional<Tensor> stored(const std::filesystem::path& file, const std::string& key, std::int64_t images) {
  if (!std::filesystem::is_regular_file(file)) return std::nullopt;
  const std::string bytes = read_file(file);
  const std::size_t begin = kMagic.size() + kChecksum + 1;
  const std::string_view body = std::string_view(bytes).substr(std::min(begin, bytes.size()));
  if (!bytes.starts_with(kMagic) || bytes.substr(kMagic.size(), kChecksum) != checksum(body)) {
    log::warn("{}: damaged; the features are computed anew", file);
    return std::nullopt;
  }
  const TensorFile content = parse_tensors(body, file.string());
  const Tensor& features = content.at("features");
  const auto known = content.metadata.find("key");
  const bool same =
      known != content.metadata.end() && known->second == key && features.dim() == 2 && features.size(0) == images;
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
    const std::string body = tensor_bytes({{"features", features}}, {{"key", key}});
    write_file(file, format("{}{}\n", kMagic, checksum(body)) + body);
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
