#include "edmund/core/free_memory.h"

#include "support/catch.h"
#include "support/temporary_folder.h"

#include <string>

namespace edmund::testing {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

}  // namespace

TEST_CASE("free memory is the least of what the system and each control group leaves", "[core]") {
  const TemporaryFolder root;
  CHECK(free_memory(root.path()) == std::nullopt);
  root.write("proc/meminfo", "MemTotal:  16384 kB\nMemAvailable:    8192 kB\nSwapFree:    1024 kB\n");
  CHECK(free_memory(root.path()) == 9 * kMiB);
  const auto group = [&](const std::string& folder, const std::string& most, std::uint64_t used, std::uint64_t cache) {
    root.write("sys/fs/cgroup" + folder + "/memory.max", most + "\n");
    root.write("sys/fs/cgroup" + folder + "/memory.current", std::to_string(used) + "\n");
    root.write("sys/fs/cgroup" + folder + "/memory.stat",
               "anon 5\ninactive_file " + std::to_string(cache) + "\nactive_file 7\n");
  };
  root.write("proc/self/cgroup", "0::/job/step\n");
  group("/job/step", "max", 5 * kMiB, 0);
  CHECK(free_memory(root.path()) == 9 * kMiB);
  group("/job", std::to_string(8 * kMiB), 5 * kMiB, kMiB);
  CHECK(free_memory(root.path()) == 4 * kMiB);
  group("/job/step", std::to_string(6 * kMiB), 5 * kMiB, 0);
  CHECK(free_memory(root.path()) == kMiB);
  group("/job/step", std::to_string(4 * kMiB), 5 * kMiB, 0);
  CHECK(free_memory(root.path()) == 0);
  root.write("proc/self/cgroup", "0::/\n");
  group("", std::to_string(7 * kMiB), 5 * kMiB, 0);
  CHECK(free_memory(root.path()) == 2 * kMiB);
}

}  // namespace edmund::testing
