#include "edmund/commands/command.h"
#include "edmund/core/error.h"
#include "edmund/core/out_of_memory.h"
#include "edmund/core/printable.h"
#include "edmund/core/standard_streams.h"
#include "edmund/ops/caching_allocator.h"

#include <c10/util/Exception.h>
#include <cerrno>
#include <csignal>
#include <exception>
#include <iostream>
#include <malloc.h>
#include <string_view>
#include <system_error>

namespace {

// By default glibc maps each large block by itself and unmaps it again, and every page costs a
// fault at its first touch; in the heap blocks share large pages.
void keep_heap() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

edmund::ExitCode failed(const std::exception& error, std::string_view what) {
  std::cerr << "edmund failed: " << edmund::printable(what)
            << (edmund::is_out_of_memory(error) ? "; a smaller batch, image or network needs less" : "") << '\n';
  return edmund::ExitCode::kFailure;
}

edmund::ExitCode run(int argc, char** argv) {
  using edmund::ExitCode;
  try {
    return edmund::run_command({argv + 1, argv + argc});
  } catch (const edmund::Error& error) {
    std::cerr << "error: " << edmund::printable(error.what()) << '\n';
    return ExitCode::kBadInput;
  } catch (const c10::Error& error) {
    return failed(error, error.what_without_backtrace());
  } catch (const std::exception& error) {
    return failed(error, error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  edmund::open_standard_streams();
  // a reader that is gone is a failed write, and no end of hours of work
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // and so is a file that a limit keeps from growing
  keep_heap();
#ifndef __SANITIZE_ADDRESS__  // which is to see what reads a dead tensor
  edmund::ops::install_caching_allocator();
#endif
  edmund::StandardOutput output;
  edmund::ExitCode code = run(argc, argv);
  // The outcome stands: no signal changes it while the libraries are taken down.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) std::signal(signal, SIG_IGN);
  if (const int reason = output.finish(); reason != 0) {
    // who closes a pipe has read enough and needs no message
    if (reason != EPIPE)
      std::cerr << "error: standard output: cannot write: " << std::generic_category().message(reason) << '\n';
    if (code == edmund::ExitCode::kDone) code = edmund::ExitCode::kFailure;
  }
  return static_cast<int>(code);
}
