#include "edmund/evaluation/features.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "feature_factories.h"

#include <algorithm>
#include <array>
#include <ATen/core/Tensor.h>
#include <utility>

namespace edmund {

namespace {

constexpr std::array<Entry<FeatureFactory>, 5> kFeatures = {{
    {"classifier", "penultimate layer of a small CNN which edmund trains on the labeled data", "-",
     make_classifier_features},
    {"efficientnet-lite0", "1,280 ImageNet features, from a safetensors file", "Tan & Le 2019",
     make_efficientnet_features},
    {"identity", "the pixels themselves, in [-1, 1]", "-", make_identity_features},
    {"inception", "2,048 features of FID's Inception-v3, from a safetensors file", "Heusel et al. 2017",
     make_inception_features},
    {"pca", "pixels along the principal components of the data", "Pearson 1901", make_pca_features},
}};

// Images of real numbers: options are read beside them, and features of them refused.
class Refusing final : public Dataset {
 public:
  explicit Refusing(DatasetInfo info) : info_(std::move(info)) {}
  DatasetInfo info() const override { return info_; }
  Batch read(std::span<const std::int64_t>) const override {
    require_pictures(info_);
    return {};
  }

 private:
  DatasetInfo info_;
};

}  // namespace

void require_pictures(const DatasetInfo& info) {
  require(!info.floats,
          "{}: its images are real numbers (latents, or pictures of 16 bits); features are of pictures of 8 bits",
          info.name);
}

std::string tensor_checksum(const Tensor& tensor) {
  const Tensor values = tensor.detach().cpu().contiguous();
  const std::string_view bytes(static_cast<const char*>(values.const_data_ptr()), values.nbytes());
  std::string shape;
  for (const auto size : values.sizes()) shape += format("{} ", size);
  return checksum(format("{} {}{}", c10::toString(values.scalar_type()), shape, checksum(bytes)));
}

MetricNames metric_names(const FeatureExtractor& features, std::int64_t dims) {
  if (const auto names = features.literature_names()) return *names;
  const std::string of = format(" ({}, {}-d)", features.name(), dims);
  return {.frechet = "Fréchet distance" + of, .kernel = "Kernel distance" + of, .score = "Class score" + of};
}

std::span<const Entry<FeatureFactory>> feature_table() { return kFeatures; }

std::unique_ptr<FeatureExtractor> make_features(Options& options, const FeatureContext& context) {
  const Refusing refusing(context.labeled.info());
  if (refusing.info().floats)
    return chosen(feature_table(), options, "pca", "extractor of the features")
        .make(options, {.labeled = refusing, .seed = context.seed, .cache = context.cache});
  const std::string_view fallback = context.labeled.info().num_classes > 1 ? "classifier" : "pca";
  return chosen(feature_table(), options, fallback, "extractor of the features").make(options, context);
}

}  // namespace edmund
