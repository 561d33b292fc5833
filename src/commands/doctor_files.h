#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace edmund {

/// A line of `edmund doctor`.
struct Finding {
  std::string what, state, advice;  // advice empty: all is well
};

/// What a folder of runs, or one run, and the system's limits allow: free space, whether its file
/// system keeps what it promises, limits of the process, who owns which run, what processes left
/// that are gone.
std::vector<Finding> examine_files(const std::filesystem::path& folder);

}  // namespace edmund
