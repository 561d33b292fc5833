#pragma once

#include <ATen/core/Tensor.h>
#include <string>
#include <utility>
#include <vector>

// The one header of core that knows LibTorch: core's own sources and the schedules do not include
// it.
namespace edmund {

using at::Tensor;

/// Tensors by name, in order.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

}  // namespace edmund
