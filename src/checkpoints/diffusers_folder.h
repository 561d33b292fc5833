#pragma once

#include "edmund/core/tensor.h"
#include "json_settings.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace edmund {

/// A model folder of huggingface/diffusers: everything at its top, as older repositories have it,
/// or network and scheduler in folders of their own.
struct DiffusersFolder {
  std::filesystem::path network;                // folder of config.json and weights
  std::filesystem::path scheduler_config = {};  // empty if there is none
  std::string class_name = {};                  // of the network
};

/// The folder as far as it can be told without reading weights; nothing if it is none.
std::optional<DiffusersFolder> diffusers_folder(const std::filesystem::path& path);

/// The tensors of one file or of all that an index names, under the newer of two names that
/// attention's have had. Throws Error naming the file and what is wrong.
std::map<std::string, Tensor> diffusers_weights(const std::filesystem::path& network);

}  // namespace edmund
