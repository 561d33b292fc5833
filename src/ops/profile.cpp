#include "edmund/ops/profile.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

namespace edmund::ops {
namespace {

struct Times {
  std::atomic<bool> on = false;
  std::mutex mutex;
  std::map<std::string, OperatorTime> by_name;
};

Times& times() {
  static Times kept;
  return kept;
}

}  // namespace

void start_profile() {
  const std::scoped_lock lock(times().mutex);
  times().by_name.clear();
  times().on = true;
}

std::vector<OperatorTime> stop_profile() {
  times().on = false;
  const std::scoped_lock lock(times().mutex);
  std::vector<OperatorTime> out;
  for (const auto& [name, time] : times().by_name) out.push_back(time);
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return out;
}

Timed::Timed(const std::function<OperatorTime()>& describe) {
  if (!times().on) return;
  what_ = describe();
  began_ = std::chrono::steady_clock::now();
}

Timed::~Timed() {
  if (what_.name.empty()) return;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began_;
  const std::scoped_lock lock(times().mutex);
  OperatorTime& total = times().by_name[what_.name];
  total.name = what_.name;
  ++total.calls;
  total.seconds += seconds.count();
  total.flops += what_.flops;
  total.bytes += what_.bytes;
}

}  // namespace edmund::ops
