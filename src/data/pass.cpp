#include "pass.h"

#include "edmund/core/progress.h"
#include "edmund/core/stop.h"
#include "edmund/core/stopwatch.h"

#include <algorithm>
#include <ATen/Parallel.h>
#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace edmund {
namespace {

constexpr double kInterval = 10.0;  // seconds between two lines of progress

}  // namespace

std::int64_t for_all_images(std::int64_t count, std::string_view task, const std::function<void(std::int64_t)>& act,
                            double seconds) {
  const Stopwatch watch;
  std::optional<Progress> progress;
  if (!task.empty()) progress.emplace(task, "images", count, 0, kInterval, Progress::kBrief);
  std::atomic<std::int64_t> taken = 0, done = 0;
  std::mutex mutex;
  std::exception_ptr error;
  const auto work = [&](bool shows) {
    while (watch.seconds() < seconds) {
      const std::int64_t begin = taken.fetch_add(kPassBlock);
      if (begin >= count) return;
      const std::int64_t end = std::min(begin + kPassBlock, count);
      try {
        StopRequest::check();
        for (std::int64_t i = begin; i < end; ++i) act(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        taken = count;
        return;
      }
      done += end - begin;
      if (shows && progress) progress->update(done);
    }
  };
  const std::int64_t threads =
      std::clamp<std::int64_t>((count + kPassBlock - 1) / kPassBlock, 1, at::get_num_threads());
  std::vector<std::thread> others;
  for (std::int64_t t = 1; t < threads; ++t) others.emplace_back(work, false);
  work(true);
  for (auto& thread : others) thread.join();
  if (error) std::rethrow_exception(error);
  if (progress) progress->update(done);
  return done;
}

}  // namespace edmund
