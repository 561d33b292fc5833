#pragma once

#include "edmund/core/tensor.h"
#include "edmund/evaluation/classifier.h"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace edmund {

/// What the classifier's weights have to fit.
struct ClassifierShape {
  std::int64_t channels = 0, height = 0, width = 0, num_classes = 0;
};

/// Weights of the classifier, by name: `conv{i}.weight`, its batch norm
/// `norm{i}.{weight,bias,mean,variance}`, `hidden.{weight,bias}`, `output.{weight,bias}`. Mean and
/// variance are running statistics, the rest is trained.
using ClassifierWeights = std::vector<std::pair<std::string, Tensor>>;

/// He-normal weights from Philox; the output layer is zero.
ClassifierWeights initial_weights(const ClassifierShape& shape, const ClassifierSettings& settings);

/// What the last two layers give, features [B, F] before their activation, and logits [B, classes].
struct ClassifierOutput {
  Tensor features, logits;
};

/// 3x3 convolutions with batch norm and ReLU, each halved by max pooling until at most 4 x 4 pixels
/// are left; then two linear layers.
/// x: float [B, C, H, W] in [-1, 1]. In training the batch's own statistics are used and the
/// running ones updated.
enum class Mode { kTrain, kEvaluate };
ClassifierOutput forward(const ClassifierWeights& weights, const Tensor& x, Mode mode);

/// The last layer alone: features [B, F] before their activation → logits [B, classes].
Tensor output_layer(const ClassifierWeights& weights, const Tensor& features);

/// Small random rotation, scaling and shift of each image, a function of (seed, position in the
/// sequence of training images).
Tensor jittered(const Tensor& x, std::uint64_t seed, std::span<const std::int64_t> positions);

}  // namespace edmund
