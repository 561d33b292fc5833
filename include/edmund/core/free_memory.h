#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace edmund {

/// Bytes of memory that this process can still take before Linux kills one: what the system has
/// free or can free, and what the control group (a container, a batch system's job) leaves of its
/// limit. Nothing where the system does not tell. `root`: the folder that /proc and /sys lie in.
std::optional<std::uint64_t> free_memory(const std::filesystem::path& root = "/");

}  // namespace edmund
