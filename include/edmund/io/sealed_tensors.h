#pragma once

#include "edmund/io/tensor_file.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

/// The bytes of a safetensors file that is kept to spare work: with a checksum of everything else
/// in it as the metadata `xxhash64`.
std::string sealed_tensor_bytes(const std::vector<std::pair<std::string, Tensor>>& tensors,
                                std::map<std::string, std::string> metadata = {});

/// What is wrong with the checksum of such a file; empty if nothing.
std::string seal_damage(const TensorFile& file);

/// What was kept there; none where there is no file, and none with a warning, which ends with
/// `instead`, where it is damaged. A file that was never sealed, of an older version, is taken as
/// it is.
std::optional<TensorFile> sealed_tensors(const std::filesystem::path& file, std::string_view instead);

}  // namespace edmund
