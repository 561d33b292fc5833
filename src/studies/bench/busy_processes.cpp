#include "edmund/studies/busy_processes.h"

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace edmund {
namespace {

// In a child of a process with threads nothing but plain computation is safe.
[[noreturn]] void compute_without_end(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);  // it ended before the line above
  for (volatile double x = 1.0;;) x = x * 1.0000001 + 1e-9;
}

}  // namespace

BusyProcesses::BusyProcesses() {
  const pid_t parent = ::getpid();
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
    const pid_t child = ::fork();
    if (child == 0) compute_without_end(parent);
    if (child < 0) throw std::runtime_error("cannot start a busy process");
    children_.push_back(child);
  }
}

BusyProcesses::~BusyProcesses() {
  for (const pid_t child : children_) ::kill(child, SIGKILL);
  for (const pid_t child : children_)
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
}

}  // namespace edmund
