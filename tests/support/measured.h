#pragma once

#include "support/catch.h"
#include "support/process.h"

#include <algorithm>
#include <cerrno>
#include <sys/resource.h>
#include <unistd.h>

namespace edmund::testing {

/// What a process did, and took.
struct Measured {
  Outcome outcome;
  double seconds = 0.0;    // of the processor
  double megabytes = 0.0;  // at most, of memory
};

/// Runs the edmund binary in `folder` with these arguments (shell words).
inline Measured measured(const std::filesystem::path& folder, const std::string& arguments) {
  Measured out;
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(pipe[1], 1), dup2(pipe[1], 2), close(pipe[0]), close(pipe[1]);
    const std::string command =
        "cd '" + folder.string() + "' && exec " + EDMUND_BINARY + " " + arguments + " </dev/null";
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  close(pipe[1]);
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = read(pipe[0], buffer.data(), buffer.size())) > 0 || (n < 0 && errno == EINTR);)
    if (n > 0) out.outcome.output.append(buffer.data(), static_cast<std::size_t>(n));
  close(pipe[0]);
  int status = 0;
  rusage usage = {};
  REQUIRE(wait4(child, &status, 0, &usage) == child);
  out.outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  out.seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  out.megabytes = static_cast<double>(usage.ru_maxrss) / 1024;
  return out;
}

/// That it refuses its input in one line with `says`, within so many seconds and 256 MB.
inline Measured check_refused(const std::filesystem::path& folder, const std::string& arguments,
                              const std::string& says, double seconds) {
  Measured found = measured(folder, arguments);
  INFO(arguments << ": code " << found.outcome.code << ", " << found.seconds << " s, " << found.megabytes << " MB\n"
                 << found.outcome.output);
  CHECK(found.outcome.code == 2);
  CHECK(std::ranges::count(found.outcome.output, '\n') == 1);
  CHECK(found.outcome.output.starts_with("error: "));
  CHECK(found.outcome.output.find(says) != std::string::npos);
  CHECK(found.seconds < seconds);
  CHECK(found.megabytes < 256.0);
  return found;
}

}  // namespace edmund::testing
