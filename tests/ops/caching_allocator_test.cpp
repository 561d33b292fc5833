#include "edmund/ops/caching_allocator.h"

#include "support/catch.h"

#include <c10/util/Exception.h>
#include <cstdint>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

using Catch::Matchers::ContainsSubstring;
using edmund::ops::CachingAllocator;

namespace {

constexpr std::size_t kMegabyte = 1 << 20;

}  // namespace

TEST_CASE("Memory of a dead tensor is given to the next of its size alone", "[ops][memory]") {
  CachingAllocator memory;
  const void* first = nullptr;
  {
    const auto a = memory.allocate(kMegabyte);
    first = a.get();
    CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
    CHECK(memory.used() == kMegabyte);
  }
  CHECK(memory.used() == 0);
  CHECK(memory.idle() == kMegabyte);
  const auto other = memory.allocate(kMegabyte / 64);
  CHECK(other.get() != first);
  const auto b = memory.allocate(kMegabyte - 5);  // rounds to the same
  CHECK(b.get() == first);
  CHECK(memory.idle() == 0);
  CHECK(memory.allocate(kMegabyte).get() != first);
}

TEST_CASE("Idle memory goes back before the total exceeds the most that was used by a sixteenth", "[ops][memory]") {
  CachingAllocator memory;
  { const auto a = memory.allocate(16 * kMegabyte); }
  for (std::size_t size = 1; size <= 12; ++size) {
    const auto b = memory.allocate(size * kMegabyte);
    std::memset(b.get(), 1, size * kMegabyte);
    CHECK(memory.used() + memory.idle() <= 17 * kMegabyte);
  }
  // What was asked for last is still there, what was not for the longest went.
  const std::size_t before = memory.idle();
  { const auto again = memory.allocate(12 * kMegabyte); }
  CHECK(memory.idle() == before);
  CHECK(before < 16 * kMegabyte);
}

TEST_CASE("Kept memory refuses what the system does not have, and takes nothing for nothing", "[ops][memory]") {
  CachingAllocator memory;
  CHECK(memory.allocate(0).get() == nullptr);
  { const auto a = memory.allocate(kMegabyte); }
  CHECK_THROWS_WITH(memory.allocate(std::size_t{1} << 60), ContainsSubstring("out of memory"));
  CHECK_THROWS_WITH(memory.allocate(std::numeric_limits<std::size_t>::max()), ContainsSubstring("out of memory"));
  CHECK(memory.used() == 0);
  CHECK(memory.idle() == 0);  // it was given back in the attempt
  CHECK(memory.allocate(kMegabyte).get() != nullptr);
  CHECK(memory.raw_deleter() != nullptr);
  memory.raw_deleter()(nullptr);
}

TEST_CASE("Threads share kept memory, each block for one of them at a time", "[ops][memory]") {
  CachingAllocator memory;
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id)
    threads.emplace_back([&memory, &count = wrong[static_cast<std::size_t>(id)], id] {
      std::vector<c10::DataPtr> held;
      for (int i = 0; i < 2000; ++i) {
        auto block = memory.allocate(64U << (i + id) % 5);
        int* at = static_cast<int*>(block.get());
        *at = id * 10'000 + i;
        held.push_back(std::move(block));
        if (held.size() == 8) {
          for (int k = 0; k < 8; ++k)
            count += *static_cast<int*>(held[static_cast<std::size_t>(k)].get()) != id * 10'000 + i - 7 + k;
          held.clear();
        }
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
  CHECK(memory.used() == 0);
}
