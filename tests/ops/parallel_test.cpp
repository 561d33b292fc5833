#include "parallel.h"

#include "support/catch.h"

#include <ATen/Parallel.h>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using namespace edmund::ops;

namespace {

using Pieces = std::multiset<std::pair<std::int64_t, std::int64_t>>;

Pieces pieces_of(std::int64_t begin, std::int64_t end, std::int64_t grain) {
  std::mutex mutex;
  Pieces out;
  parallel_for(begin, end, grain, [&](std::int64_t first, std::int64_t last) {
    const std::lock_guard lock(mutex);
    out.emplace(first, last);
  });
  return out;
}

// Sets ATen's threads while it lives.
class Threads {
 public:
  explicit Threads(int count) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_ = at::get_num_threads();
};

}  // namespace

TEST_CASE("every piece of a range is worked on once, whatever the threads do", "[ops]") {
  const Threads threads(GENERATE(1, 2, 3, 7));
  for (const std::int64_t size : {0, 1, 2, 7, 64, 1000})
    for (const std::int64_t grain : {1, 3, 64}) {
      INFO(size << " by " << grain << " on " << at::get_num_threads() << " threads");
      const Pieces pieces = pieces_of(5, 5 + size, grain);
      std::int64_t at = 5;
      for (const auto& [first, last] : pieces) {
        CHECK(first == at);
        CHECK(last > first);
        CHECK(((last - first) % grain == 0 || last == 5 + size));
        at = last;
      }
      CHECK(at == 5 + size);
      for (int i = 0; i < 20; ++i) CHECK(pieces_of(5, 5 + size, grain) == pieces);
    }
}

TEST_CASE("many short pieces of work one after the other lose none", "[ops]") {
  const Threads threads(4);
  std::int64_t sum = 0;
  std::vector<std::int64_t> values(64);
  for (std::int64_t round = 0; round < 20'000; ++round) {
    parallel_for(0, 64, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) values[static_cast<std::size_t>(i)] = i + round;
    });
    for (const auto value : values) sum += value - round;
  }
  CHECK(sum == 20'000 * 63 * 64 / 2);
}

TEST_CASE("the caller does not wait for threads that have not begun", "[ops]") {
  const Threads threads(2);
  // Another thread is held in the first piece that it comes to until all others are begun.
  std::atomic<int> begun = 0;
  std::atomic<bool> in_vain = false;
  const auto caller = std::this_thread::get_id();
  parallel_for(0, 8, 1, [&](std::int64_t, std::int64_t) {
    ++begun;
    if (std::this_thread::get_id() == caller) return std::this_thread::sleep_for(std::chrono::milliseconds(2));
    for (int i = 0; i < 5000 && begun < 8; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (begun < 8) in_vain = true;
  });
  CHECK(begun == 8);
  CHECK_FALSE(in_vain);
}

TEST_CASE("an exception of a piece reaches the caller, and the next work is as ever", "[ops]") {
  const Threads threads(3);
  for (int i = 0; i < 100; ++i) {
    CHECK_THROWS_AS(parallel_for(0, 12, 1,
                                 [&](std::int64_t first, std::int64_t) {
                                   if (first == i % 12) throw std::runtime_error("piece");
                                 }),
                    std::runtime_error);
    CHECK(pieces_of(0, 12, 1).size() == 12);
  }
}

TEST_CASE("work within work, and of several threads at once, is done by who asks for it", "[ops]") {
  const Threads threads(3);
  std::atomic<std::int64_t> sum = 0;
  const auto work = [&] {
    for (int round = 0; round < 200; ++round)
      parallel_for(0, 10, 1, [&](std::int64_t first, std::int64_t last) {
        const auto self = std::this_thread::get_id();
        parallel_for(first, last, 1, [&](std::int64_t begin, std::int64_t end) {
          if (std::this_thread::get_id() == self) sum += end - begin;
        });
      });
  };
  std::vector<std::thread> others;
  for (int i = 0; i < 3; ++i) others.emplace_back(work);
  work();
  for (auto& thread : others) thread.join();
  CHECK(sum == 4 * 200 * 10);
}
