#pragma once

#include "edmund/core/format.h"

#include <stdexcept>
#include <string>
#include <string_view>

namespace edmund {

/// What the process tells its caller.
enum class ExitCode : int { kDone = 0, kFailure = 1, kBadInput = 2, kInterrupted = 75 };

/// A mistake in what the user gave (config, command line, file, checkpoint, image). The message is
/// shown as it is, without a stack trace: it names the place, what was found and how to mend it.
/// Exit code 2.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws Error with the formatted message unless `condition` holds.
template <typename... Args>
void require(bool condition, std::string_view pattern, const Args&... args) {
  if (!condition) throw Error(format(pattern, args...));
}

/// Throws Error with the formatted message.
template <typename... Args>
[[noreturn]] void fail(std::string_view pattern, const Args&... args) {
  throw Error(format(pattern, args...));
}

}  // namespace edmund
