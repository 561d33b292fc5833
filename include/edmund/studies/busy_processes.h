#pragma once

#include <sys/types.h>
#include <vector>

namespace edmund {

/// Other people's work on the same cores, for measurements: processes that compute without end as
/// long as it lives, one for each core that this process may use. They end with it, however it
/// ends.
class BusyProcesses {
 public:
  BusyProcesses();
  ~BusyProcesses();
  BusyProcesses(const BusyProcesses&) = delete;
  BusyProcesses& operator=(const BusyProcesses&) = delete;

 private:
  std::vector<pid_t> children_;
};

}  // namespace edmund
