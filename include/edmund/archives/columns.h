#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace edmund {

/// The lists of numbers (f8 f4 i8 i4, [N]) of a .npz file, by name; other arrays are passed over.
/// Throws Error for files that are no zip archives, are damaged, or hold more than `limit` numbers
/// in a list.
std::map<std::string, std::vector<double>> read_columns(const std::filesystem::path& file,
                                                        std::uint64_t limit = 1 << 22);

}  // namespace edmund
