#pragma once

#include "support/errors.h"
#include "support/file_contents.h"
#include "support/temporary_folder.h"

#include <fcntl.h>
#include <filesystem>
#include <string>
#include <unistd.h>

namespace edmund::testing {

/// Standard error goes to `descriptor` while it lives.
class StandardError {
 public:
  explicit StandardError(int descriptor) : former_(::dup(STDERR_FILENO)) { ::dup2(descriptor, STDERR_FILENO); }
  ~StandardError() {
    ::dup2(former_, STDERR_FILENO);
    ::close(former_);
  }
  StandardError(const StandardError&) = delete;
  StandardError& operator=(const StandardError&) = delete;

 private:
  int former_;
};

/// What `act` writes to a standard error that is a file.
template <typename Act>
std::string standard_error_of(const Act& act) {
  const TemporaryFolder folder;
  const std::string path = folder / "stderr";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
  {
    const StandardError redirected(file);
    act();
  }
  ::close(file);
  return contents(path);
}

}  // namespace edmund::testing
