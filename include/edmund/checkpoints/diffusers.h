#pragma once

#include "edmund/core/tensor.h"

#include <filesystem>
#include <map>
#include <string>

namespace edmund {

/// Tensors by the names of a network that was read from a model folder of huggingface/diffusers
/// (its weights, or their gradients) under the folder's names and in its shapes. Throws Error if
/// the folder is none of UNet2DModel, or a tensor is missing.
std::map<std::string, Tensor> diffusers_tensors(const std::filesystem::path& folder, const NamedTensors& ours);

/// Changes of the folder's weights, by its names, as changes of ours; those that are not given stay
/// as they are. What is linear there is so here, so that this serves adapters. Throws Error naming
/// a tensor that the folder does not have.
NamedTensors diffusers_changes(const std::filesystem::path& folder, const std::map<std::string, Tensor>& theirs);

}  // namespace edmund
