#pragma once

#include "edmund/ops/tensor.h"

namespace edmund::ops {

/// a·x + b·y, the step that preconditioning, samplers and churn are made of, in the dtype of x: y [B, C, H, W] like x, of any float dtype, is converted
/// first. One kernel on a GPU whatever the dtypes and memory orders.
Tensor combine(double a, const Tensor& x, double b, const Tensor& y);

}  // namespace edmund::ops
