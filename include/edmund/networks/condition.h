#pragma once

#include "edmund/core/tensor.h"
#include "edmund/ops/ops.h"

#include <cstdint>

// Apart from network.h, whose torch::nn::Module takes a compiler seconds to read.
namespace edmund {

class Network;

/// Inputs of a network beside image and noise level.
struct Condition {
  /// [B] int64, num_classes means "no class"; or float [B, num_classes], used as given; undefined:
  /// no class for all.
  Tensor labels = {};
  Tensor augment = {};  // [B, A] or undefined
  /// Random bits of dropout in training; null in sampling and evaluation.
  const ops::DropoutKey* dropout = nullptr;
};
/// Labels of a Condition as rows [B or 1, classes] of the dtype and device of `options`: one-hot,
/// zeros for "no class". Throws c10::Error for labels of another shape or beyond num_classes.
Tensor class_rows(const Tensor& labels, std::int64_t classes, std::int64_t batch, const at::TensorOptions& options);

/// Images that a network takes and gives.
struct ImageShape {
  std::int64_t channels = 3, height = 32, width = 32;
};

}  // namespace edmund
