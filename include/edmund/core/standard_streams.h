#pragma once

#include <cerrno>
#include <fcntl.h>
#include <iostream>
#include <streambuf>
#include <string>
#include <unistd.h>

// What a program does about its standard streams. Only headers: the launcher, which links nothing,
// uses the first of them.
namespace edmund {

/// Opens descriptors 0 to 2 that are closed on /dev/null: else the next files that are opened get
/// their numbers, and with them what is meant for the streams.
inline void open_standard_streams() {
  for (int number = 0; number <= 2; ++number)
    if (::fcntl(number, F_GETFD) == -1 && errno == EBADF)
      // the lowest number is free
      if (const int opened = ::open("/dev/null", O_RDWR); opened > 2) ::close(opened);
}

/// All of `std::cout` while it lives: written through to descriptor 1, and remembers why that
/// failed.
class StandardOutput : private std::streambuf {
 public:
  StandardOutput() : former_(std::cout.rdbuf(this)) {
    setp(buffer_, buffer_ + sizeof buffer_);
    // each line is seen when it is written
    if (::isatty(STDOUT_FILENO) == 1) std::cout << std::unitbuf;
  }
  ~StandardOutput() override {
    write_out();
    std::cout << std::nounitbuf;
    std::cout.rdbuf(former_);
  }
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;

  /// Writes what is left. Gives the system's reason (errno) of the first write that failed, 0 if
  /// all went well.
  int finish() {
    write_out();
    return reason_;
  }

 private:
  int_type overflow(int_type c) override {
    if (!write_out()) return traits_type::eof();
    if (!traits_type::eq_int_type(c, traits_type::eof())) sputc(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  int sync() override { return write_out() ? 0 : -1; }

  bool write_out() {
    const char* at = pbase();
    while (reason_ == 0 && at < pptr()) {
      const ssize_t count = ::write(STDOUT_FILENO, at, static_cast<std::size_t>(pptr() - at));
      if (count >= 0)
        at += count;
      else if (errno != EINTR)
        reason_ = errno;
    }
    setp(buffer_, buffer_ + sizeof buffer_);
    return reason_ == 0;
  }

  std::streambuf* former_;
  int reason_ = 0;
  char buffer_[1 << 14];
};

}  // namespace edmund
