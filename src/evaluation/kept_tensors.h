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

/// Writes tensors that are kept to spare work: a line "KIND CHECKSUM" and a safetensors file that
/// has this checksum.
void write_kept_tensors(const std::filesystem::path& file, std::string_view kind,
                        const std::vector<std::pair<std::string, Tensor>>& tensors,
                        const std::map<std::string, std::string>& metadata);

/// What was kept there; none where there is no such file, and none with a warning, which ends with
/// `instead`, where it is damaged.
std::optional<TensorFile> kept_tensors(const std::filesystem::path& file, std::string_view kind,
                                       std::string_view instead);

}  // namespace edmund
