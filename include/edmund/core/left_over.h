#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace edmund {

/// The name under which this process writes a file before it gets its own: ".NAME.HOST-PID-N.part",
/// another one each time.
std::string part_name(const std::filesystem::path& name);

/// Files of such names in a folder whose process, of this host, is gone.
std::vector<std::filesystem::path> left_over(const std::filesystem::path& folder);

/// Deletes them. Throws DiskError.
void delete_left_over(const std::filesystem::path& folder);

}  // namespace edmund
