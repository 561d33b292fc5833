#pragma once

#include "edmund/training/objective.h"

#include <functional>

/// What objectives of Gaussian diffusion share: each image has its noise level and its noise, and a
/// share of the labels is dropped.
namespace edmund::objectives {

/// Clean images and what is drawn for them, where the network lies, in the dtype of its weights.
struct NoisyBatch {
  Tensor x0;     // [B, C, H, W], in [-1, 1]
  Tensor eps;    // [B, C, H, W], standard normal
  Tensor sigma;  // [B]
  Condition condition;
};

/// Loss of every element, [B, C, H, W], or of every image, [B, 1, 1, 1].
using LossFunction = std::function<Tensor(const DenoisingModel& model, const NoisyBatch& batch)>;

/// Trains the whole network (and the uncertainty, if the settings ask for it) by this loss.
Objective gaussian(const ObjectiveContext& context, const LossFunction& loss);

}  // namespace edmund::objectives
