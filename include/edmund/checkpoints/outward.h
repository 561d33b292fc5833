#pragma once

#include "edmund/core/tensor.h"
#include "edmund/networks/adapter.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

class Network;

/// A trained model as it goes to another project.
struct SavedModel {
  const Network& network;
  NamedTensors weights;
  std::map<std::string, std::string> values;  // all of its config: "key.path" → text
};

/// A kind of files that a model is converted to.
struct OutwardEntry {
  std::string_view name, about, source;
  /// Path in a folder → bytes. Throws Error naming what has no counterpart there.
  std::map<std::string, std::string> (*files)(const SavedModel& model);
};
std::span<const OutwardEntry> outward_table();

/// The files that `kind` makes of a model. Throws Error for an unknown kind and for what has no
/// counterpart there.
std::map<std::string, std::string> outward_files(std::string_view kind, const SavedModel& model);

/// Low-rank changes of a model's layers as changes of the layers that huggingface/diffusers has in
/// their place, by its names. Throws Error if it has none.
std::vector<LowRank> diffusers_layers(const SavedModel& model, const std::vector<LowRank>& changes);

}  // namespace edmund
