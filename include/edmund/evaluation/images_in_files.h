#pragma once

#include "edmund/data/dataset.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace edmund {

/// `count` > 0 images that lie in safetensors files, `block` in each but the last, as the tensor
/// "images" uint8 [B, C, H, W]: as a data set without classes, each file read when it is asked for.
/// `file` gives that of the block which begins with this image. Throws Error for a damaged file.
std::unique_ptr<Dataset> images_in_files(std::string name, std::int64_t count, std::int64_t block,
                                         std::function<std::filesystem::path(std::int64_t first)> file);

}  // namespace edmund
