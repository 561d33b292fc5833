#include "edmund/core/out_of_memory.h"

#include "support/catch.h"

#include <new>
#include <stdexcept>

namespace edmund {

TEST_CASE("what allocators say is told from other errors", "[core]") {
  CHECK(is_out_of_memory(std::bad_alloc()));
  CHECK(is_out_of_memory(std::bad_array_new_length()));
  for (const char* text :
       {"out of memory: a tensor of 4096 bytes", "CUDA out of memory. Tried to allocate 2.00 GiB.",
        "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
        "allocate 8 bytes. Error code 12 (Cannot allocate memory)",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"})
    CHECK(is_out_of_memory(std::runtime_error(text)));
  for (const char* text : {"", "no space left on device", "shape mismatch", "memory"})
    CHECK_FALSE(is_out_of_memory(std::runtime_error(text)));
}

}  // namespace edmund
