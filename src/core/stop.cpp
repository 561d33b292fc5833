#include "edmund/core/stop.h"

#include "edmund/core/save_request.h"

#include <atomic>

namespace edmund {
namespace {

// A signal handler can reach nothing but static storage.
std::atomic<bool> stop_requested = false, save_requested = false;
std::atomic<int> living = 0;
static_assert(std::atomic<bool>::is_always_lock_free, "signal handlers need it");

// Batch systems send SIGHUP more than once; only who presses Ctrl-C or kills again means it.
extern "C" void on_stop_signal(int signal) {
  if (signal == SIGUSR1) {
    save_requested = true;
    return;
  }
  if (!stop_requested.exchange(true) || (signal != SIGINT && signal != SIGTERM)) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);  // delivered when the handler returns: the process ends by this signal
}

}  // namespace

StopRequest::StopRequest() : outermost_(living.fetch_add(1) == 0) {
  if (!outermost_) return;
  stop_requested = save_requested = false;
  struct sigaction action = {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;  // file operations under way go on
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], nullptr, &former_[i]);
    const bool ignored = former_[i].sa_handler == SIG_IGN;
    if (kSignals[i] != SIGHUP || !ignored) sigaction(kSignals[i], &action, nullptr);
  }
  // those that came before, held back while the process was starting, arrive now
  sigset_t held;
  sigemptyset(&held);
  for (const int signal : kSignals) sigaddset(&held, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &held, nullptr);
}

StopRequest::~StopRequest() {
  living.fetch_sub(1);
  if (!outermost_) return;
  for (std::size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &former_[i], nullptr);
}

bool take_save_request() { return save_requested.exchange(false); }

bool StopRequest::requested() { return stop_requested; }

void StopRequest::request() { stop_requested = true; }

void StopRequest::check() {
  if (living > 0 && stop_requested)
    throw Interrupted("interrupted; what is finished is kept, and the same command goes on from there");
}

}  // namespace edmund
