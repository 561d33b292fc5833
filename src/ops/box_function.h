#pragma once

#include "autograd.h"
#include "edmund/ops/ops.h"

#include <torch/csrc/autograd/custom_function.h>

/// Halving and doubling of images by the box filter, with gradients, the same on both devices.
namespace edmund::ops {

/// `halved` is factor · sums of 2×2 pixels of a channels-last image, `doubled` factor · each pixel
/// as 2×2 of them: each is the other's gradient.
template <auto halved, auto doubled>
class BoxFunction : public torch::autograd::Function<BoxFunction<halved, doubled>> {
 public:
  using Context = torch::autograd::AutogradContext;

  static Tensor filtered(const Tensor& x, bool down) {
    return down ? halved(channels_last(x), 0.25F) : doubled(channels_last(x), 1.0F);
  }
  static Tensor forward(Context* ctx, const Tensor& x, bool down) {
    ctx->saved_data["down"] = down;
    return filtered(x, down);
  }
  static torch::autograd::variable_list backward(Context* ctx, torch::autograd::variable_list gradients) {
    const at::NoGradGuard no_grad;
    const Tensor dy = channels_last(gradients[0]);
    return {ctx->saved_data["down"].toBool() ? doubled(dy, 0.25F) : halved(dy, 1.0F), {}};
  }
};

/// resample() by the taps {1, 1} of a device.
template <auto halved, auto doubled>
Tensor box_resampled(const Tensor& x, Resample direction) {
  using Function = BoxFunction<halved, doubled>;
  const bool down = direction == Resample::kDown;
  return wants_gradient({&x}) ? Function::apply(x, down) : Function::filtered(x, down);
}

}  // namespace edmund::ops
