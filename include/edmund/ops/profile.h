#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// Times of the operators, for `edmund bench --profile`. Costs one load of a flag an operator while
/// it is off. One thread at a time.
namespace edmund::ops {

struct OperatorTime {
  std::string name;  // operator and shape
  std::int64_t calls = 0;
  double seconds = 0.0;
  double flops = 0.0;  // two for each multiplication of the direct algorithm
  double bytes = 0.0;  // of operands and result
};

/// Starts recording times; earlier ones are dropped.
void start_profile();
/// Stops and returns the recorded times, the longest first.
std::vector<OperatorTime> stop_profile();

/// Measures the time of its own life, an operator's. `describe` is called only while recording.
class Timed {
 public:
  explicit Timed(const std::function<OperatorTime()>& describe);
  ~Timed();
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  OperatorTime what_;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace edmund::ops
