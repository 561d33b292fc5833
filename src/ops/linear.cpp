#include "edmund/core/format.h"
#include "edmund/ops/ops.h"
#include "edmund/ops/profile.h"

#include <ATen/ops/linear.h>

namespace edmund::ops {

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  TORCH_CHECK(x.dim() == 2 && x.size(1) == weight.size(1), "linear: x ", x.sizes(), " does not fit weight ",
              weight.sizes());
  const Timed timed([&] {
    const auto rows = static_cast<double>(x.size(0)), in = static_cast<double>(x.size(1)),
               out = static_cast<double>(weight.size(0));
    return OperatorTime{.name = format("linear {}x{} -> {}", x.size(0), x.size(1), weight.size(0)),
                        .flops = 2.0 * rows * in * out,
                        .bytes = static_cast<double>(x.element_size()) * (rows * (in + out) + in * out)};
  });
  return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
}

}  // namespace edmund::ops
