#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"
#include "edmund/core/tensor.h"
#include "edmund/ops/ops.h"

#include <cstdint>
#include <memory>
#include <span>
#include <torch/nn/module.h>

namespace edmund {

/// What a network is told beside the noise level.
struct Condition {
  Tensor labels =
      {};  // [B] int64, num_classes means "no class"; or float [B, num_classes], taken as it is; undefined = no class for all
  Tensor augment = {};  // [B, A] or undefined
  const ops::DropoutKey* dropout =
      nullptr;  // training: where dropout takes its bits from; none in sampling and evaluation
};

/// Images that a network takes and gives.
struct ImageShape {
  std::int64_t channels = 3, height = 32, width = 32;
};

/// F(c_in·z, c_noise, condition).
class Network : public torch::nn::Module {
 public:
  /// x [B, C, H, W], c_noise [B] → [B, C, H, W] (or 2C channels, of which the first C count: learned variance).
  virtual Tensor forward(const Tensor& x, const Tensor& c_noise, const Condition& condition) = 0;
  /// Fills all weights from (seed, index of the parameter): the same network on every machine.
  virtual void initialize(std::uint64_t seed) = 0;
};

/// What the data and the rest of the config tell a network's factory.
struct NetworkContext {
  ImageShape image;
  std::int64_t num_classes = 0;     // 0: unconditional
  std::int64_t augment_labels = 0;  // width of Condition::augment
};
using NetworkFactory = std::shared_ptr<Network>(Options&, const NetworkContext&);

std::span<const Entry<NetworkFactory>> network_table();
/// Network that `type` names (default unet = SongUNet), weights not yet initialized.
std::shared_ptr<Network> make_network(Options& options, const NetworkContext& context);

}  // namespace edmund
