#pragma once

#include <filesystem>

namespace edmund {

/// Waits until what was written to the file lies on the disk. Throws Error naming the path and the
/// system's reason.
void sync_file(const std::filesystem::path& path);

}  // namespace edmund
