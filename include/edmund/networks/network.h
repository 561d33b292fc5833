#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"
#include "edmund/core/tensor.h"
#include "edmund/networks/condition.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <torch/nn/module.h>

namespace edmund {

/// F(c_in·z, c_noise, condition).
class Network : public torch::nn::Module {
 public:
  /// x [B, C, H, W], c_noise [B] → [B, C, H, W] (or 2C channels, of which the first C count:
  /// learned variance).
  virtual Tensor forward(const Tensor& x, const Tensor& c_noise, const Condition& condition) = 0;
  /// Fills all weights from (seed, index of the parameter): the same network on every machine.
  virtual void initialize(std::uint64_t seed) = 0;
  /// Whether Condition::augment has a place in this architecture.
  virtual bool takes_augment_labels() const { return false; }
  /// Restores what must hold of the weights after each step of an optimizer; the averages have
  /// taken the step's weights before that.
  virtual void stepped() {}
};

/// What a network's factory gets from the data and the rest of the config.
struct NetworkContext {
  ImageShape image;
  std::int64_t num_classes = 0;     // 0: unconditional
  std::int64_t augment_labels = 0;  // width of Condition::augment
};
using NetworkFactory = std::shared_ptr<Network>(Options&, const NetworkContext&);

/// A row of the table: an Entry, and the options of a small network of its kind.
struct NetworkEntry {
  std::string_view name, about, source;
  NetworkFactory* make;
  std::string_view small;  // YAML, for images of 8×8 pixels: what the tests of all networks run on
};
std::span<const NetworkEntry> network_table();
/// The network that `type` names (default unet = SongUNet), weights not yet initialized.
std::shared_ptr<Network> make_network(Options& options, const NetworkContext& context);

}  // namespace edmund
