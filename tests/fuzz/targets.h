#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund::testing {

/// A loader that takes any bytes: it reads them, or throws Error, and nothing else.
struct FuzzTarget {
  std::string_view name;
  /// `folder`: an empty one, for loaders that read files.
  void (*read)(std::string_view bytes, const std::filesystem::path& folder);
  /// Whole files of the kind, from which mutations begin.
  std::vector<std::string> (*seeds)(const std::filesystem::path& folder);
};

std::span<const FuzzTarget> fuzz_targets();

/// Reads the bytes and takes an Error for an answer.
void fuzz_one(const FuzzTarget& target, std::string_view bytes, const std::filesystem::path& folder);

}  // namespace edmund::testing
