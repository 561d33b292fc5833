#include "edmund/core/left_over.h"

#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "host.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string_view>
#include <unistd.h>

namespace edmund {
namespace fs = std::filesystem;
namespace {

// Of a file in a folder that hosts may share.
const std::string& own_host() {
  static const std::string host = checksum(host_name()).substr(0, 8);
  return host;
}

// The process of this host that began the file; none for other names.
std::optional<std::int64_t> writer_of(std::string_view name) {
  constexpr std::string_view kEnding = ".part";
  if (!name.starts_with('.') || !name.ends_with(kEnding)) return std::nullopt;
  name.remove_suffix(kEnding.size());
  name.remove_prefix(name.rfind('.') + 1);
  if (!name.starts_with(own_host() + "-")) return std::nullopt;
  name.remove_prefix(own_host().size() + 1);
  const auto process = parse_integer(name.substr(0, name.find('-')));
  return process && *process > 0 && *process < (1 << 30) ? process : std::nullopt;
}

bool is_gone(std::int64_t process) { return ::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH; }

}  // namespace

std::string part_name(const fs::path& name) {
  static std::atomic<unsigned> counter = 0;
  return format(".{}.{}-{}-{}.part", name, own_host(), ::getpid(), counter++);
}

std::vector<fs::path> left_over(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const std::string& name : file_system().names(folder))
    if (const auto process = writer_of(name); process && is_gone(*process)) out.push_back(folder / name);
  return out;
}

void delete_left_over(const fs::path& folder) {
  for (const fs::path& file : left_over(folder)) remove_tree(file);
}

}  // namespace edmund
