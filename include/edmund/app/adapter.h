#pragma once

#include "edmund/core/options.h"
#include "edmund/networks/adapter.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace edmund {

/// The low-rank changes of an adapter's file, in float32, and their scales. It may be
///
///   adapter_model.safetensors          of peft, with adapter_config.json beside it (edmund's own)
///   pytorch_lora_weights.safetensors   of diffusers: names after `unet.`, its configuration in the
///                                      metadata
///   any other .safetensors             of kohya: lora_unet_LAYER.lora_down.weight, .lora_up.weight
///                                      and .alpha
///
/// or a folder with the first, or a run that trained one. Throws Error naming the file and what is
/// missing, unknown, or a kind of adapter that is not applied here (DoRA, biases …).
struct AdapterFile {
  std::string file;  // for messages
  std::vector<LowRank> layers;
  // edmund's own: base_model.model.BLOCK.prefix.key, .value
  std::vector<BlockPrefix> prefixes = {};
};
AdapterFile read_adapter(const std::filesystem::path& path);
/// Writes adapter_model.safetensors and adapter_config.json as peft does.
void write_adapter(const std::filesystem::path& folder, const AdapterFile& adapter);
/// What a network was adapted with; nothing if it was not.
AdapterFile adapter_of(const Network& network);
/// Adds it to a network for good, `strength` times; 0 leaves every bit. Throws Error naming the
/// file and what does not fit, before anything is changed.
void apply_adapter(Network& network, const AdapterFile& adapter, double strength);

/// What it adds to weights of any names, LAYER.weight, `strength` times. Errors as of
/// apply_adapter().
std::map<std::string, Tensor> adapter_changes(const AdapterFile& adapter, const std::map<std::string, Tensor>& weights,
                                              double strength);

/// An entry of the config's `adapters`: what is added to the weights of a run where it is used.
struct ChosenAdapter {
  std::filesystem::path file;
  double strength = 1.0;
};
/// Reads `adapters: [{file: F, strength: 1}, …]`.
std::vector<ChosenAdapter> chosen_adapters(Options& root);
/// The same as an override, `adapters=[…]`; "" for none.
std::string adapters_override(const std::vector<ChosenAdapter>& adapters);
/// Checksums and strengths, for what depends on them; "" without adapters.
std::string identity_of(const std::vector<ChosenAdapter>& adapters);

}  // namespace edmund
