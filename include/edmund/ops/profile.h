#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// Times of the operators, for `edmund bench --profile`. Costs one load of a flag an operator while it is off. One thread at a time.
namespace edmund::ops {

struct OperatorTime {
  std::string name;  // operator and shape
  std::int64_t calls = 0;
  double seconds = 0.0;
  double flops = 0.0;  // two for each multiplication of the direct algorithm
  double bytes = 0.0;  // of operands and result
};

/// Starts to keep times, forgetting earlier ones.
void start_profile();
/// Stops, and answers what was kept, the longest first.
std::vector<OperatorTime> stop_profile();

/// Lives as long as an operator runs. `describe` is called only while times are kept.
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
