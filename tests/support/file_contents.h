#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace edmund::testing {

/// The bytes of a file; none if it is not there.
inline std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace edmund::testing
