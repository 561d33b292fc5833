#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"
#include "edmund/core/tensor.h"
#include "edmund/networks/prefix.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

/// Adapters: few weights that are trained on a frozen network.
namespace edmund {

class Network;

/// A low-rank change of one layer's weight W [out, in, taps…] (Hu et al. 2022):
///
///   W + scale·B·A,   A [rank, in, taps…],   B [out, rank, 1…]
///
/// which is peft's, kohya's and diffusers' LoRA of linear layers and convolutions: B a 1×1
/// convolution after one with the kernel of the layer. Of a table [rows, width]: A [rank, rows], B
/// [width, rank] and W + scale·(B·A)ᵀ.
struct LowRank {
  std::string layer;  // its name in the network
  Tensor A, B;
  double scale = 1.0;  // alpha/rank, or alpha/√rank
  bool table = false;
};
/// scale·B·A in the shape of W; can be differentiated by A and B. Throws Error if they do not fit,
/// beginning with `where`.
Tensor low_rank_change(const LowRank& change, at::IntArrayRef shape, const std::string& where);

/// A layer's name as kohya's files have it: a.b → a_b.
std::string underscored(std::string layer);

/// Puts an adapter on a network, whose own weights no longer ask for gradients. Its parameters are
/// the network's then: LAYER.lora_A.weight, LAYER.lora_B.weight, or BLOCK.prefix.key, .value.
using Adapter = std::function<void(Network& network, std::uint64_t seed)>;
using AdapterFactory = Adapter(Options&);
std::span<const Entry<AdapterFactory>> adapter_table();
/// Adapter that `type` names (default none, which is an empty function).
Adapter make_adapter(Options& options);

/// What make_adapter()'s low-rank changes of a network are now, in the order of its layers.
std::vector<LowRank> low_rank_layers(const Network& network);
/// Adds them to the weights for good: the network is then as if there had never been an adapter.
void merge_adapter(Network& network);
/// Adds `strength` times such changes to the weights for good; 0 leaves every bit. Layers may be
/// named with underscores in place of dots. Throws Error, beginning with `file`, for a layer that
/// the network does not have, or of another shape, before any weight is changed.
void add_changes(Network& network, const std::vector<LowRank>& changes, double strength, const std::string& file);

/// The prefixes of a network's blocks, in the order of its modules.
std::vector<BlockPrefix> prefixes(const Network& network);
/// Adds them to the blocks of these names with a strength; 0 adds none. Errors as of add_changes().
void add_prefixes(Network& network, const std::vector<BlockPrefix>& prefixes, double strength, const std::string& file);

}  // namespace edmund
