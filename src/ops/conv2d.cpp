#include "edmund/core/format.h"
#include "edmund/ops/ops.h"
#include "fast.h"

#include <ATen/ops/conv2d.h>

namespace edmund::ops {

std::array<std::int64_t, 2> zeros_around(const Conv2d& args) {
  return {args.padding.value_or(args.weight.size(2) / 2), args.padding.value_or(args.weight.size(3) / 2)};
}

Tensor conv2d(const Tensor& x, const Conv2d& args) {
  const auto& w = args.weight;
  TORCH_CHECK(!args.inner || !args.residual.defined(), "conv2d: a sum with a residual is not inner");
  TORCH_CHECK(x.dim() == 4 && w.dim() == 4 && x.size(1) == w.size(1), "conv2d: x ", x.sizes(), " does not fit weight ",
              w.sizes());
  const Timed timed([&] {
    return described(format("conv {}x{}", w.size(2), w.size(3)), x, w.size(0),
                     static_cast<double>(w.size(2) * w.size(3)));
  });
  if (fast_inner(x, w)) return cpu::conv2d(x, args);
  const auto* gpu = w.size(2) == w.size(3) ? fast_cuda(x) : nullptr;
  Tensor y;
  if (gpu != nullptr) {
    y = gpu->conv2d(x, args, conv_context());
  } else {
    y = at::conv2d(x, w, args.bias.defined() ? std::optional(args.bias) : std::nullopt, 1,
                   zeros_around(args));  // [B, K, H, W]
    if (args.per_sample.defined()) y.add_(args.per_sample.unsqueeze(2).unsqueeze(3));
    if (args.residual.defined()) y.add_(args.residual);
    if (args.scale != 1.0) y.mul_(args.scale);
  }
  return args.relu ? y.relu_() : y;
}

}  // namespace edmund::ops
