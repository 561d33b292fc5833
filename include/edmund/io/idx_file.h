#pragma once

#include "edmund/core/tensor.h"
#include "edmund/io/pixel_file.h"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace edmund {

/// Reads an IDX file of unsigned bytes, plain or gzip-compressed: uint8 [N, H, W]. Throws Error
/// unless magic number, sizes and length agree; no more bytes are read than the header promises.
Tensor read_idx_images(const std::filesystem::path& path);

/// The same of any size: not held in memory if there are more bytes than `in_memory`.
PixelFile read_idx_pixels(const std::filesystem::path& path, std::uint64_t in_memory = kPixelsInMemory);

/// Labels [N] of such a file.
std::vector<std::int64_t> read_idx_labels(const std::filesystem::path& path);

}  // namespace edmund
