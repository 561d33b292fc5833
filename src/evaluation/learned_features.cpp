// classifier, efficientnet-lite0 — features of convolutional networks.
//
//   classifier          the small CNN of Classifier, trained on the labeled data of the run
//     channels          32      of its first convolution
//     features          64      width of the penultimate layer
//     epochs            0       passes over the data; 0: some seconds' worth for small data, a
//                               minute's for larger
//     learning_rate     3e-3    peak
//   efficientnet-lite0  the ImageNet network, batch norm folded into its convolutions
//     file              (none)  safetensors with stem, blocks.{0..15}.{expand,depthwise,project},
//                               head, each .weight and .bias

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/classifier.h"
#include "efficientnet_lite0.h"
#include "feature_factories.h"

#include <utility>

namespace edmund {
namespace {

class ClassifierFeatures final : public FeatureExtractor {
 public:
  ClassifierFeatures(Classifier classifier, std::string provenance)
      : classifier_(std::move(classifier)), provenance_(std::move(provenance)) {}
  std::string name() const override { return "classifier"; }
  Tensor extract(const Tensor& images) const override { return classifier_.features(images); }
  std::string provenance() const override { return provenance_; }
  std::string fingerprint() const override { return "classifier " + classifier_.fingerprint(); }
  std::optional<Tensor> logits(const Tensor& features) const override { return classifier_.logits(features); }
  const Classifier* classifier() const override { return &classifier_; }

 private:
  Classifier classifier_;
  std::string provenance_;
};

class EfficientNetFeatures final : public FeatureExtractor {
 public:
  EfficientNetFeatures(const TensorFile& file, std::string provenance, std::string fingerprint)
      : network_(file), provenance_(std::move(provenance)), fingerprint_(std::move(fingerprint)) {}
  std::string name() const override { return "efficientnet-lite0"; }
  Tensor extract(const Tensor& images) const override { return network_.features(images); }
  std::string provenance() const override { return provenance_; }
  std::string fingerprint() const override { return fingerprint_; }

 private:
  EfficientNetLite0 network_;
  std::string provenance_, fingerprint_;
};

/// "trained on digits train; names 98.9 % ± 0.5 % of the 360 images of digits test".
std::string classifier_provenance(const Classifier& classifier, const Dataset* held_out, std::uint64_t seed) {
  std::string text = "small CNN trained on " + classifier.data_name();
  if (held_out == nullptr || held_out->info().size == 0) return text;
  const Batch batch = read_all(*held_out, 10000, seed);
  const Estimate accuracy = classifier.accuracy(batch.images, batch.labels);
  return text + format("; names the class of {} % ± {} % of the {} images of {}", short_number(100 * accuracy.value),
                       short_number(100 * accuracy.error), batch.images.size(0), held_out->info().name);
}

}  // namespace

std::unique_ptr<FeatureExtractor> make_classifier_features(Options& options, const FeatureContext& context) {
  const ClassifierSettings defaults;
  const ClassifierSettings settings{
      .channels =
          options.integer("channels", defaults.channels, between(1, 512), "of the classifier's first convolution"),
      .features =
          options.integer("features", defaults.features, between(1, 4096), "width of the layer that is compared"),
      .epochs = options.integer("epochs", defaults.epochs, between(0, 10000),
                                "passes over the data; 0: as many as some seconds to a minute allow"),
      .learning_rate =
          options.real("learning_rate", defaults.learning_rate, inside(0, 1), "peak of the classifier's training"),
      .seed = context.seed};
  Classifier classifier = Classifier::cached(context.labeled, settings, context.cache);
  std::string provenance = classifier_provenance(classifier, context.held_out, context.seed);
  return std::make_unique<ClassifierFeatures>(std::move(classifier), std::move(provenance));
}

std::unique_ptr<FeatureExtractor> make_efficientnet_features(Options& options, const FeatureContext& context) {
  const std::string path = options.required_path("file", "safetensors of the network").string();
  // the mistake is recorded; finish() tells it
  if (path.empty()) return make_identity_features(options, context);
  const std::string bytes = read_file(path);
  const TensorFile file = parse_tensors(bytes, path);
  const std::string sum = checksum(bytes);
  return std::make_unique<EfficientNetFeatures>(
      file,
      format("EfficientNet-Lite0 (ImageNet), {}, xxHash64 {}", std::filesystem::path(path).filename().string(), sum),
      "efficientnet-lite0 " + sum);
}

}  // namespace edmund
