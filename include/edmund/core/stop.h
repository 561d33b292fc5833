#pragma once

#include <csignal>
#include <iterator>
#include <stdexcept>

namespace edmund {

/// Thrown between two pieces of work when the process was asked to stop: what is finished lies on
/// the disk, and the same command goes on from there. Exit code 75.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Turns SIGINT, SIGTERM and SIGHUP into a request to save and leave while it lives, for commands
/// that run long, SIGUSR1 into one to save and go on (save_request.h). A SIGINT or SIGTERM after
/// the first ends the process at once. A SIGHUP that was ignored (nohup) stays ignored; signals
/// that are held back (blocked) in this thread are let in. Nested, the outermost puts former
/// handlers back.
class StopRequest {
 public:
  StopRequest();
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;

  /// Whether a signal came since the outermost StopRequest was made; still told after its end.
  static bool requested();
  /// Asks as a signal would.
  static void request();
  /// Throws Interrupted if one was requested and a StopRequest lives: called wherever long work can
  /// be left, between two batches or two cells.
  static void check();

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
  bool outermost_ = false;
  struct sigaction former_[std::size(kSignals)] = {};  // as they were
};

}  // namespace edmund
