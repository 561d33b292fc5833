#include "edmund/core/free_memory.h"

#include "edmund/core/text.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>

namespace edmund {
namespace fs = std::filesystem;
namespace {

// The whole number behind a word that begins a line.
std::optional<std::uint64_t> number_behind(const fs::path& file, std::string_view word) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(word)) continue;
    const std::size_t begin = line.find_first_not_of(" \t", word.size());
    if (begin == std::string::npos) return std::nullopt;
    const std::size_t end = std::min(line.find_first_not_of("0123456789", begin), line.size());
    const auto value = parse_integer(std::string_view(line).substr(begin, end - begin));
    return value && *value >= 0 ? std::optional(static_cast<std::uint64_t>(*value)) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> of_system(const fs::path& root) {
  const auto available = number_behind(root / "proc/meminfo", "MemAvailable:"),
             swap = number_behind(root / "proc/meminfo", "SwapFree:");
  return available ? std::optional((*available + swap.value_or(0)) * 1024) : std::nullopt;
}

// Of one group of version 2; its file cache can be taken back.
std::optional<std::uint64_t> of_group(const fs::path& folder) {
  const auto most = number_behind(folder / "memory.max", ""), used = number_behind(folder / "memory.current", "");
  if (!most || !used) return std::nullopt;
  const std::uint64_t kept =
      *used - std::min(*used, number_behind(folder / "memory.stat", "inactive_file").value_or(0));
  return *most - std::min(*most, kept);
}

}  // namespace

std::optional<std::uint64_t> free_memory(const fs::path& root) {
  std::optional<std::uint64_t> least = of_system(root);
  std::string group;
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("0::/")) group = line.substr(4);
  // each group above limits it too
  const fs::path top = root / "sys/fs/cgroup";
  for (fs::path folder = top / group;; folder = folder.parent_path()) {
    if (const auto own = of_group(folder)) least = std::min(least.value_or(*own), *own);
    if (folder == top || folder == folder.parent_path() || folder.empty()) break;
  }
  return least;
}

}  // namespace edmund
