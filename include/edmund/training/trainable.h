#pragma once

#include "edmund/core/interval.h"
#include "edmund/core/tensor.h"
#include "edmund/data/loader.h"
#include "edmund/networks/condition.h"

#include <cstdint>
#include <string>
#include <vector>

namespace edmund {

/// A batch as an objective prepared it on the host. Every tensor has a row for each image, so that
/// the batch can be split.
struct TrainingInputs {
  Tensor images;                   // uint8 [B, C, H, W], or float in about [-1, 1]
  Tensor positions;                // int64 [B], in the sequence of training images
  Tensor labels = {};              // [B] or as in Condition; undefined: none
  std::vector<Tensor> drawn = {};  // [B, …] each, in the objective's own order
  Tensor augment = {};             // [B, A] as in Condition; undefined: none
};

/// The loss of a batch or of a part of it.
struct Losses {
  Tensor sum;                 // [], differentiable: of all images; minimized is sum/(B · elements)
  std::int64_t elements = 1;  // of an image, if its loss is to be a mean over them
  Tensor images;              // [B], for the log: of each image, a mean over its elements
  Tensor clock;               // [B], for the log: where on its clock each image was
};

/// What the log calls the place of an image on the clock of its process, and where most of them
/// are: σ of Gaussian ones.
struct LossClock {
  std::string name = "sigma";
  Interval range;
};

/// What a Trainer trains: a network and an objective. It owns the draws of a step, each a function
/// of (seed, position) and of nothing else, so that a step can be split, repeated and gone on with.
class Trainable {
 public:
  virtual ~Trainable() = default;

  /// The network whose weights checkpoints hold.
  virtual Network& network() const = 0;
  /// What is trained, all of one dtype and device: parameters of the network under their names
  /// there (all or some; the others keep their values) and tensors of the objective's own under
  /// other names.
  virtual NamedTensors parameters() const = 0;
  virtual LossClock clock() const = 0;

  /// The host's share of a step: what is cheap and exact there (a quantile function, labels).
  /// Anything on the CPU.
  virtual TrainingInputs prepare(const TrainingBatch& batch) const = 0;
  /// The device's share: inputs as prepared, where the network lies. A GPU may record it once and
  /// replay it (ops/graph.h): the same work for every batch of a size, depending on nothing but
  /// `inputs` and weights, never waiting for the device.
  virtual Losses loss(const TrainingInputs& inputs) const = 0;
  /// Called after each step of the optimizer, for constraints on the weights; recorded with the
  /// step. A skipped step calls it too, so what it does twice must be the same as once.
  virtual void stepped() {}
};

/// Parameters of a network by their names there.
NamedTensors parameters_of(const Network& network);

}  // namespace edmund
