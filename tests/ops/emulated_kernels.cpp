// The GPU's kernels, compiled for the CPU.
// clang-format off
#include "emulated_cuda.h"  // first: what follows is not C++ without it
// clang-format on

#include "../../src/ops/cuda/adam.cu"
#include "../../src/ops/cuda/combine.cu"
#include "../../src/ops/cuda/norm.cu"
#include "../../src/ops/cuda/norm_backward.cu"
#include "../../src/ops/cuda/philox.cu"
#include "../../src/ops/cuda/pointwise.cu"
