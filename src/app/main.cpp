#include "edmund/app/command.h"
#include "edmund/core/error.h"

#include <exception>
#include <iostream>
#include <malloc.h>

namespace {

// Tensors of some hundred kilobytes come and go at each layer. By default glibc maps such memory anew each time, and every page of it costs a fault
// at its first touch (a sixth of a small network's time); kept in the heap, it is used again.
void keep_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace

int main(int argc, char** argv) {
  using edmund::ExitCode;
  keep_memory();
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
