#include "parallel.h"

#include "edmund/ops/threads.h"

#include <algorithm>
#include <array>
#include <ATen/Parallel.h>
#include <atomic>
#include <exception>
#include <linux/futex.h>
#include <mutex>
#include <optional>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace edmund::ops {
namespace {

using Work = std::function<void(std::int64_t, std::int64_t)>;
using Word = std::atomic<std::uint32_t>;
static_assert(sizeof(Word) == sizeof(std::uint32_t) && Word::is_always_lock_free, "the kernel reads it");

constexpr std::int64_t kMostThreads = 256;
constexpr std::int64_t kPieces = 4;  // for each thread
// Turns of waiting before a thread sleeps, some microseconds: to be woken takes as long.
constexpr int kTurns = 1000;

void sleep_while(Word& word, std::uint32_t value) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void wake(Word& word) { ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }

void turn() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Returns when `word` no longer has this value.
void wait_while(Word& word, std::uint32_t value, std::atomic<bool>& sleeps) {
  for (int i = 0; word.load(std::memory_order_acquire) == value; ++i) {
    if (i < kTurns) {
      turn();
      continue;
    }
    sleeps = true;
    if (word == value) sleep_while(word, value);
    sleeps = false;
  }
}

thread_local bool inside = false;  // of some work

// A thread's share of the pieces, first·2³² + last: it takes from the front, others from the back.
struct alignas(64) Share {
  std::atomic<std::uint64_t> pieces = 0;

  void fill(std::uint64_t first, std::uint64_t last) { pieces.store(first << 32 | last, std::memory_order_release); }
  std::optional<std::int64_t> take(bool front) {
    std::uint64_t now = pieces.load(std::memory_order_acquire);
    for (;;) {
      const std::uint64_t first = now >> 32, last = now & 0xFFFFFFFF;
      if (first >= last) return std::nullopt;
      const std::uint64_t left = front ? (first + 1) << 32 | last : first << 32 | (last - 1);
      if (pieces.compare_exchange_weak(now, left, std::memory_order_acq_rel, std::memory_order_acquire))
        return static_cast<std::int64_t>(front ? first : last - 1);
    }
  }
};

struct alignas(64) Helper {
  Word calls = 0;
  std::atomic<bool> sleeps = false;
};

class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() {
    ended_ = true;
    for (std::size_t i = 0; i < threads_.size(); ++i) call(helpers_[i + 1]);
    for (auto& thread : threads_) thread.join();
  }

  // False, and nothing done, while another thread's work is.
  bool run(std::int64_t begin, std::int64_t end, std::int64_t chunk, std::int64_t threads, const Work& work) {
    const std::unique_lock lock(busy_, std::try_to_lock);
    if (!lock) return false;
    while (std::ssize(threads_) < threads - 1)
      threads_.emplace_back([this, index = threads_.size() + 1] { help(index); });
    const std::int64_t pieces = (end - begin + chunk - 1) / chunk;
    begin_ = begin, end_ = end, chunk_ = chunk, work_ = &work, error_ = nullptr;
    sharing_ = threads;
    left_ = static_cast<std::uint32_t>(pieces);
    // from here on late helpers of work that is done may begin with this one
    for (std::int64_t i = 0; i < threads; ++i)
      shares_[static_cast<std::size_t>(i)].fill(static_cast<std::uint64_t>(pieces * i / threads),
                                                static_cast<std::uint64_t>(pieces * (i + 1) / threads));
    for (std::int64_t i = 1; i < threads; ++i) call(helpers_[static_cast<std::size_t>(i)]);
    take_part(0);
    for (std::uint32_t left = left_; left != 0; left = left_) wait_for(left);
    if (error_) std::rethrow_exception(error_);
    return true;
  }

 private:
  static void call(Helper& helper) {
    helper.calls.fetch_add(1);
    if (helper.sleeps) wake(helper.calls);
  }

  void help(std::size_t index) {
    Helper& own = helpers_[index];
    for (std::uint32_t seen = 0; !ended_;) {
      wait_while(own.calls, seen, own.sleeps);
      seen = own.calls;
      take_part(static_cast<std::int64_t>(index));
    }
  }

  // Pieces of the own share, then of the others'. What a piece belongs to is read once it is taken:
  // until it is done, that stays.
  void take_part(std::int64_t index) {
    inside = true;
    const std::int64_t threads = sharing_;
    for (std::int64_t i = 0; i < threads; ++i) {
      Share& share = shares_[static_cast<std::size_t>((index + i) % threads)];
      while (const auto piece = share.take(i == 0)) {
        const std::int64_t first = begin_ + *piece * chunk_;
        try {
          (*work_)(first, std::min(first + chunk_, end_));
        } catch (...) {
          const std::lock_guard lock(error_mutex_);
          if (!error_) error_ = std::current_exception();
        }
        if (left_.fetch_sub(1) == 1 && caller_sleeps_) wake(left_);
      }
    }
    inside = false;
  }

  // Until none is left, or for a while: only the last piece wakes the caller.
  void wait_for(std::uint32_t left) { wait_while(left_, left, caller_sleeps_); }

  std::mutex busy_, error_mutex_;
  std::array<Share, kMostThreads> shares_;
  std::array<Helper, kMostThreads> helpers_;
  std::int64_t begin_ = 0, end_ = 0, chunk_ = 1;
  const Work* work_ = nullptr;
  std::exception_ptr error_;
  std::atomic<std::int64_t> sharing_ = 1;  // threads
  alignas(64) Word left_ = 0;              // pieces that are not done
  std::atomic<bool> caller_sleeps_ = false, ended_ = false;
  std::vector<std::thread> threads_;
};

Team& team() {
  static Team team;
  return team;
}

}  // namespace

void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain, const Work& work) {
  if (begin >= end) return;
  const std::int64_t units = (end - begin + grain - 1) / grain;
  const std::int64_t threads = std::min<std::int64_t>({units, ops::threads(), kMostThreads});
  const std::int64_t chunk = (units + kPieces * threads - 1) / (kPieces * threads) * grain;
  const bool alone = threads == 1 || inside || at::in_parallel_region();
  if (alone || !team().run(begin, end, chunk, threads, work)) work(begin, end);
}

std::int64_t cuts_for_threads(std::int64_t pieces, std::int64_t most) {
  const std::int64_t count = threads();
  std::int64_t cuts = 1;
  while (pieces * cuts % count != 0 && pieces * cuts < 4 * count && cuts < most) ++cuts;
  return cuts;
}

}  // namespace edmund::ops
