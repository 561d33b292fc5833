#pragma once

#include "edmund/core/error.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace edmund {

/// An open file of the system; closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { close(); }

  bool is_open() const { return number_ >= 0; }
  int number() const { return number_; }
  int release() { return std::exchange(number_, -1); }
  /// Whether the system took everything that was written.
  bool close() { return number_ < 0 || ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

/// Throws Error with the reason in errno.
[[noreturn]] inline void fail_with_reason(std::string_view what, const std::filesystem::path& path) {
  fail("{}: {}: {}", path, what, std::generic_category().message(errno));
}

/// Opens a regular file to read; throws Error for anything else (a pipe or device could block or
/// never end).
inline Descriptor open_regular(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) fail_with_reason("cannot read", path);
  struct stat status = {};
  if (::fstat(file.number(), &status) != 0) fail_with_reason("cannot read", path);
  require(!S_ISDIR(status.st_mode), "{}: cannot read: it is a folder", path);
  require(S_ISREG(status.st_mode), "{}: cannot read: not a regular file", path);
  return file;
}

}  // namespace edmund
