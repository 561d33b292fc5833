#pragma once

#include "edmund/core/tensor.h"

namespace edmund {

/// float in [-1, 1] → uint8: 127.5·x + 128, truncated and cut (NVlabs/edm; the one quantizer of the
/// project). NaN becomes 0.
Tensor to_uint8(const Tensor& images);
/// uint8 → `dtype` in [-1, 1]: x/127.5 - 1. Real numbers are what a model takes already: they keep
/// their values.
Tensor to_float(const Tensor& images, at::ScalarType dtype = at::kFloat);

}  // namespace edmund
