#include "edmund/ops/ops.h"

#include <ATen/ops/linear.h>

namespace edmund::ops {

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  TORCH_CHECK(x.dim() == 2 && x.size(1) == weight.size(1), "linear: x ", x.sizes(), " does not fit weight ",
              weight.sizes());
  return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
}

}  // namespace edmund::ops
