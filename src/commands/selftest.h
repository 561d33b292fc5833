#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// A promise, and what shows in an empty folder whether it is kept here. `broken` answers what is
/// wrong, or nothing.
struct SelfTest {
  std::string_view promise;
  std::string (*broken)(const std::filesystem::path& folder);
};
std::vector<SelfTest> self_tests();

}  // namespace edmund
