#include "disk_guard.h"

#include "edmund/core/file_system.h"
#include "edmund/core/log.h"
#include "edmund/core/stop.h"

#include <chrono>
#include <thread>
#include <utility>

namespace edmund {
namespace {

constexpr double kRetry = 60.0;  // seconds

}  // namespace

DiskGuard::DiskGuard(double patience, std::function<double()> clock) : patience_(patience), clock_(std::move(clock)) {}

bool DiskGuard::attempt(const std::string& what, const std::function<void()>& write) {
  try {
    write();
  } catch (const DiskError& error) {
    if (failing_.insert(what).second)
      log::warn("{}; {} failed, training goes on, and it is tried again", error.what(), what);
    return false;
  }
  if (failing_.erase(what) > 0) log::info("{}: the disk takes it again", what);
  return true;
}

bool DiskGuard::save(const std::function<void()>& write, Tries tries) {
  while (true) {
    const bool saved = attempt("a checkpoint", write);
    last_ = clock_();
    if (saved)
      first_failure_ = -1.0;
    else if (first_failure_ < 0.0)
      first_failure_ = last_;
    if (saved || tries == Tries::kOne) return saved;
    while (!due()) {
      if (exhausted() || StopRequest::requested()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
}

bool DiskGuard::due() const { return first_failure_ >= 0.0 && clock_() - last_ >= kRetry; }

bool DiskGuard::exhausted() const { return first_failure_ >= 0.0 && clock_() - first_failure_ >= patience_; }

}  // namespace edmund
