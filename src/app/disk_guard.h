#pragma once

#include <functional>
#include <set>
#include <string>

namespace edmund {

/// Lets a training go on while the disk does not take what it writes: a failure is a warning, told
/// once until the same succeeds, and what failed is done again when it is due next. Checkpoints are
/// due a minute after they failed, until they have failed for too long.
class DiskGuard {
 public:
  /// Seconds that a training goes on without a checkpoint; seconds that have passed, by any clock.
  DiskGuard(double patience, std::function<double()> clock);

  /// Does it and answers whether the disk took it.
  bool attempt(const std::string& what, const std::function<void()>& write);
  enum class Tries {
    kOne,
    kAll  // at the end: one a minute, while the patience lasts and nobody asks the process to stop
  };
  /// The same with a checkpoint.
  bool save(const std::function<void()>& write, Tries tries = Tries::kOne);

  /// Whether the last checkpoint failed, a minute ago or more.
  bool due() const;
  /// Whether checkpoints have failed for longer than the patience lasts.
  bool exhausted() const;

 private:
  double patience_;
  std::function<double()> clock_;
  std::set<std::string> failing_;             // what was warned of
  double first_failure_ = -1.0, last_ = 0.0;  // of checkpoints in a row; -1: none
};

}  // namespace edmund
