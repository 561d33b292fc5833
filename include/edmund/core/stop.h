#pragma once

#include <csignal>

namespace edmund {

/// Turns SIGINT and SIGTERM into a request to save and leave while it lives, for commands that run
/// long. A second signal ends the process at once. They may be nested; the outermost puts the
/// former handlers back.
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

 private:
  bool outermost_ = false;
  struct sigaction interrupt_ = {}, terminate_ = {};  // as they were
};

}  // namespace edmund
