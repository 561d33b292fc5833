#include "edmund/evaluation/classifier.h"

#include "classifier_network.h"
#include "classifier_training.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"
#include "edmund/io/image_io.h"
#include "edmund/io/sealed_tensors.h"
#include "edmund/io/tensor_file.h"
#include "edmund/ops/pixels.h"
#include "feature_factories.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <utility>
#include <vector>

namespace edmund {

struct Classifier::State {
  ClassifierShape shape;
  ClassifierSettings settings;
  std::string data_name;
  ClassifierWeights weights;
};

namespace {

constexpr std::string_view kFormat = "edmund-classifier 1";
constexpr std::int64_t kBlock = 512;            // images that are evaluated at once
constexpr std::int64_t kMostBytes = 512 << 20;  // of images to learn from

std::string settings_text(const ClassifierSettings& s) {
  return format("{} {} {} {} {} {} {}", s.channels, s.features, s.epochs, s.batch_size, s.image_limit, s.learning_rate,
                s.seed);
}

void check_labels(const Batch& batch, const DatasetInfo& info) {
  require(info.num_classes > 1,
          "classifier: '{}' has no classes to learn; choose other features (pca, efficientnet-lite0)", info.name);
  require(batch.images.size(0) > 1, "classifier: '{}' has {} images, at least 2 are needed", info.name,
          batch.images.size(0));
  const auto low = batch.labels.min().item<std::int64_t>(), high = batch.labels.max().item<std::int64_t>();
  require(low >= 0 && high < info.num_classes, "classifier: '{}' has labels {} to {}, expected 0 to {}", info.name, low,
          high, info.num_classes - 1);
}

/// `part` of the network's output for uint8 images, block by block.
Tensor in_blocks(const ClassifierWeights& weights, const ClassifierShape& shape, const Tensor& images,
                 Tensor ClassifierOutput::*part) {
  TORCH_CHECK(images.dim() == 4 && images.scalar_type() == at::kByte, "images must be uint8 [B, C, H, W]");
  require(images.size(1) == shape.channels && images.size(2) == shape.height && images.size(3) == shape.width,
          "classifier: made for images of {} x {} x {} (channels, height, width), found {} x {} x {}", shape.channels,
          shape.height, shape.width, images.size(1), images.size(2), images.size(3));
  const at::NoGradGuard no_gradients;
  std::vector<Tensor> blocks;
  for (std::int64_t begin = 0; begin < images.size(0); begin += kBlock) {
    StopRequest::check();
    const Tensor block = images.narrow(0, begin, std::min(kBlock, images.size(0) - begin));
    blocks.push_back(forward(weights, to_float(block), Mode::kEvaluate).*part);
  }
  return blocks.empty() ? at::empty({0, 0}) : at::cat(blocks);
}

/// Share of the images whose named class is their label.
Estimate share_named(const Tensor& classes, const Tensor& labels) {
  const std::int64_t count = classes.size(0);
  require(count > 0 && count == labels.size(0), "accuracy: {} images with {} labels", count, labels.size(0));
  const double share = classes.eq(labels).to(at::kDouble).mean().item<double>();
  return {share, std::sqrt(share * (1 - share) / static_cast<double>(count))};
}

}  // namespace

Classifier::Classifier(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Classifier Classifier::train(const Dataset& labeled, const ClassifierSettings& settings) {
  return cached(labeled, settings, {});
}

Classifier Classifier::cached(const Dataset& labeled, const ClassifierSettings& settings,
                              const std::filesystem::path& folder) {
  const DatasetInfo info = labeled.info();
  const std::int64_t bytes = std::max<std::int64_t>(1, info.channels * info.height * info.width);
  const std::int64_t most = std::min(settings.image_limit, std::max<std::int64_t>(2, kMostBytes / bytes));
  const Batch data = read_all(labeled, most, settings.seed);
  check_labels(data, info);
  std::filesystem::path file, unfinished;
  if (!folder.empty()) {
    const std::string key = checksum(format("{} {} {} {}", kFormat, settings_text(settings),
                                            tensor_checksum(data.images), tensor_checksum(data.labels)));
    file = folder / format("classifier-{}.safetensors", key);
    unfinished = folder / format("classifier-{}.unfinished", key);
    if (const auto kept = sealed_tensors(file, "the classifier is trained again")) return of_file(*kept);
  }
  auto state = std::make_shared<State>();
  state->shape = {info.channels, info.height, info.width, info.num_classes};
  state->settings = settings;
  state->data_name = info.name;
  state->weights = trained_classifier(data, state->shape, settings, unfinished);
  Classifier classifier(state);
  if (!file.empty()) {
    classifier.write(file);
    std::filesystem::remove(unfinished);
  }
  return classifier;
}

void Classifier::write(const std::filesystem::path& path) const {
  const auto& [shape, settings, name, weights] = *state_;
  write_file(path, sealed_tensor_bytes(weights, {{"format", std::string(kFormat)},
                                                 {"shape", format("{} {} {} {}", shape.channels, shape.height,
                                                                  shape.width, shape.num_classes)},
                                                 {"network", format("{} {}", settings.channels, settings.features)},
                                                 {"data", name}}));
}

Classifier Classifier::read(const std::filesystem::path& path) { return of_file(read_tensors(path)); }

Classifier Classifier::of_file(const TensorFile& file) {
  const auto text = [&](const std::string& key) {
    const auto found = file.metadata.find(key);
    require(found != file.metadata.end(), "{}: not a classifier of edmund: the metadata lacks '{}'", file.file, key);
    return found->second;
  };
  require(text("format") == kFormat, "{}: format {}, expected '{}'", file.file, quoted(text("format")), kFormat);
  const auto numbers = [&](const std::string& key, std::size_t count) {
    std::vector<std::int64_t> out;
    const std::string list = text(key);
    for (std::size_t begin = 0; begin <= list.size();) {
      const std::size_t end = std::min(list.find(' ', begin), list.size());
      const auto number = parse_integer(std::string_view(list).substr(begin, end - begin));
      require(number && *number > 0 && *number <= 65536, "{}: metadata '{}' is {}, expected {} numbers up to 65536",
              file.file, key, quoted(list), count);
      out.push_back(*number);
      begin = end + 1;
    }
    require(out.size() == count, "{}: metadata '{}' is {}, expected {} numbers", file.file, key, quoted(list), count);
    return out;
  };
  auto state = std::make_shared<State>();
  const auto shape = numbers("shape", 4), network = numbers("network", 2);
  state->shape = {shape[0], shape[1], shape[2], shape[3]};
  state->settings.channels = network[0];
  state->settings.features = network[1];
  state->data_name = text("data");
  state->weights = initial_weights(state->shape, state->settings);
  for (auto& [name, tensor] : state->weights) {
    const Tensor& stored = file.at(name);
    require(stored.sizes() == tensor.sizes() && stored.scalar_type() == at::kFloat,
            "{}: '{}' does not have the shape or type that the metadata ask for", file.file, name);
    tensor = stored;
  }
  return Classifier(state);
}

Tensor Classifier::features(const Tensor& images) const {
  return in_blocks(state_->weights, state_->shape, images, &ClassifierOutput::features);
}

Tensor Classifier::logits(const Tensor& features) const {
  const at::NoGradGuard no_gradients;
  return output_layer(state_->weights, features.to(at::kFloat));
}

Tensor Classifier::predict(const Tensor& images) const {
  return in_blocks(state_->weights, state_->shape, images, &ClassifierOutput::logits).argmax(1);
}

Estimate Classifier::accuracy(const Tensor& images, const Tensor& labels) const {
  return share_named(predict(images), labels);
}

Estimate Classifier::accuracy_by_features(const Tensor& features, const Tensor& labels) const {
  return share_named(logits(features).argmax(1), labels);
}

std::string Classifier::data_name() const { return state_->data_name; }
std::int64_t Classifier::num_classes() const { return state_->shape.num_classes; }
std::string Classifier::fingerprint() const { return checksum(tensor_bytes(state_->weights)); }

}  // namespace edmund
