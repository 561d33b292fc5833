#pragma once

#include "operators.h"

#include <string>

namespace edmund::ops {

namespace cuda {

/// libedmund_cuda.so as this process has it: its operators, or why there are none and how to mend
/// that.
struct Library {
  const Operators* operators = nullptr;
  std::string why, advice;
};

/// Loads it at the first call, from $EDMUND_CUDA_LIBRARY, else from the program's folder, else from
/// where it was installed beside that.
const Library& library();

/// Whether the system shows a GPU of NVIDIA's, without loading anything.
bool driver_is_there();

}  // namespace cuda

/// The operators of the loaded library. Throws Error if it cannot be loaded.
const cuda::Operators& cuda_operators();

}  // namespace edmund::ops
