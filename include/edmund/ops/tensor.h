#pragma once

#include <ATen/core/Tensor.h>

namespace edmund {

using at::Tensor;

}  // namespace edmund
