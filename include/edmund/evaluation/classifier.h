#pragma once

#include "edmund/core/tensor.h"
#include "edmund/data/dataset.h"
#include "edmund/evaluation/estimate.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace edmund {

struct TensorFile;

struct ClassifierSettings {
  // of the first convolution; doubled at each halving of the image, at most 4-fold
  std::int64_t channels = 32;
  std::int64_t features = 64;  // width of the penultimate layer, which serves as features
  std::int64_t epochs = 0;     // 0: as many as take some seconds, more for fewer and smaller images
  std::int64_t batch_size = 64;
  // trains on at most this many images, and 512 MB of them, chosen by seed
  std::int64_t image_limit = 60000;
  double learning_rate = 3e-3;  // peak of one cycle
  std::uint64_t seed = 0;
};

/// Small convolutional network which edmund trains itself on a labeled data set: features for a
/// Fréchet distance, and whether a generated image is of the class that was asked for. A function
/// of (data, settings) on one machine: weights, order and augmentation come from Philox.
class Classifier {
 public:
  /// Throws Error for data without classes or with fewer than two images.
  static Classifier train(const Dataset& labeled, const ClassifierSettings& settings);
  /// The same, taken from `folder` if it was trained there before on the same data with the same
  /// settings, else trained and kept there. Throws Interrupted between two steps if the process was
  /// asked to stop; what was trained so far is kept too, and the next call goes on from there.
  static Classifier cached(const Dataset& labeled, const ClassifierSettings& settings,
                           const std::filesystem::path& folder);

  /// Safetensors file with everything that it takes to use it. Reading checks every shape; throws
  /// Error naming the file.
  void write(const std::filesystem::path& path) const;
  static Classifier read(const std::filesystem::path& path);

  /// Output of the penultimate layer before its activation: uint8 [B, C, H, W] → float32 [B,
  /// features].
  Tensor features(const Tensor& images) const;
  /// Class logits [B, classes] of features() [B, features].
  Tensor logits(const Tensor& features) const;
  Tensor predict(const Tensor& images) const;  // → int64 [B]
  /// Share of images whose class it names, with binomial standard error.
  Estimate accuracy(const Tensor& images, const Tensor& labels) const;
  /// The same of features() of the images.
  Estimate accuracy_by_features(const Tensor& features, const Tensor& labels) const;

  std::string data_name() const;  // DatasetInfo::name of what it was trained on
  std::int64_t num_classes() const;
  std::string fingerprint() const;  // checksum of its weights

 private:
  static Classifier of_file(const TensorFile& file);
  struct State;
  explicit Classifier(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

}  // namespace edmund
