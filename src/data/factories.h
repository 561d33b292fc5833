#pragma once

#include "edmund/core/options.h"
#include "edmund/data/dataset.h"
#include "edmund/data/image_source.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace edmund {

/// Whether there is a file or folder; names that the system cannot take are not there either.
bool is_there(const std::filesystem::path& path);

/// Throws Error, "WHAT 'name' is not UTF-8; rename it", for the first name that cannot be written
/// as text.
void check_text(std::span<const std::string> names, std::string_view what);

/// Path that option `key` must give. Throws Error, saying what it should be, if it is missing or
/// there is nothing.
std::filesystem::path existing_path(Options& options, std::string_view key, std::string_view what);

}  // namespace edmund
