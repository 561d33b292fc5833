#pragma once

// What the GPU's operators use of LibTorch's CUDA headers, for tensors on the CPU: tests compile
// the operators with this folder first.
#include <c10/util/Exception.h>
#include <cuda_runtime_api.h>

#define C10_CUDA_CHECK(call) TORCH_CHECK((call) == cudaSuccess)
