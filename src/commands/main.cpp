#include "edmund/commands/command.h"
#include "edmund/core/error.h"
#include "edmund/ops/caching_allocator.h"

#include <exception>
#include <iostream>
#include <malloc.h>

namespace {

// By default glibc maps each large block by itself and unmaps it again, and every page costs a
// fault at its first touch; in the heap blocks share large pages.
void keep_heap() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace

int main(int argc, char** argv) {
  using edmund::ExitCode;
  keep_heap();
#ifndef __SANITIZE_ADDRESS__  // which is to see what reads a dead tensor
  edmund::ops::install_caching_allocator();
#endif
  try {
    return static_cast<int>(edmund::run_command({argv + 1, argv + argc}));
  } catch (const edmund::Error& error) {
    std::cerr << "error: " << error.what() << '\n';
    return static_cast<int>(ExitCode::kBadInput);
  } catch (const std::exception& error) {
    std::cerr << "edmund failed: " << error.what() << '\n';
    return static_cast<int>(ExitCode::kFailure);
  }
}
