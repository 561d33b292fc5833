#include "edmund/core/stop.h"

#include <atomic>

namespace edmund {
namespace {

// A signal handler can reach nothing but static storage.
std::atomic<bool> stop_requested = false;
std::atomic<int> living = 0;
static_assert(std::atomic<bool>::is_always_lock_free, "signal handlers need it");

extern "C" void on_stop_signal(int signal) {
  if (!stop_requested.exchange(true)) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);  // delivered when the handler returns: the process ends by this signal
}

}  // namespace

StopRequest::StopRequest() : outermost_(living.fetch_add(1) == 0) {
  if (!outermost_) return;
  stop_requested = false;
  struct sigaction action = {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;  // file operations under way go on
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &interrupt_);
  sigaction(SIGTERM, &action, &terminate_);
}

StopRequest::~StopRequest() {
  living.fetch_sub(1);
  if (!outermost_) return;
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
}

bool StopRequest::requested() { return stop_requested; }

void StopRequest::request() { stop_requested = true; }

}  // namespace edmund
