#pragma once

#include "autograd.h"
#include "edmund/ops/ops.h"

#include <utility>

/// Autograd of conv2d, the same on both devices.
namespace edmund::ops {

/// Gradients of conv2d's inputs, those that are wanted.
struct ConvGradients {
  Tensor x, weight, bias, per_sample, residual;
};
/// The same inputs as InputGrads numbers them.
enum ConvInput { kConvX, kConvWeight, kConvBias, kConvPerSample, kConvResidual };

/// `Conv` is what a call is beside its tensors, and how a device computes it:
///   scale                                 of the epilogue
///   image(x), filter(weight)              operands as its kernels read them, also for backward
///   forward(x, args) → y                  args.weight is filter()'s
///   backward(x, weight, dy, grads)        → ConvGradients, of the inputs that `grads` asks for
template <typename Conv>
class ConvFunction : public torch::autograd::Function<ConvFunction<Conv>> {
 public:
  using Context = torch::autograd::AutogradContext;
  using Maybe = std::optional<Tensor>;

  static Tensor forward(Context* ctx, const Maybe& input, const Maybe& weights, const Maybe& bias,
                        const Maybe& per_sample, const Maybe& residual, const Conv& conv) {
    const Tensor x = conv.image(*input), weight = conv.filter(*weights);
    ctx->save_for_backward({x, weight});
    ctx->saved_data["grads"] = wanted_gradients({&input, &weights, &bias, &per_sample, &residual});
    save_value(ctx, conv);
    return conv.forward(x, {.weight = weight,
                            .bias = bias.value_or(Tensor()),
                            .per_sample = per_sample.value_or(Tensor()),
                            .residual = residual.value_or(Tensor()),
                            .scale = conv.scale});
  }

  static torch::autograd::variable_list backward(Context* ctx, torch::autograd::variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const auto conv = saved_value<Conv>(ctx);
    const InputGrads grads(ctx->saved_data["grads"].toInt());
    ConvGradients out = conv.backward(saved[0], saved[1], conv.image(gradients[0]), grads);
    return {out.x, out.weight, out.bias, out.per_sample, out.residual, {}};
  }
};

inline bool wants_gradient(const Tensor& x, const Conv2d& args) {
  return wants_gradient({&x, &args.weight, &args.bias, &args.per_sample, &args.residual});
}

/// conv2d without its ReLU, recorded by autograd.
template <typename Conv>
Tensor recorded_conv2d(const Tensor& x, const Conv2d& args, const Conv& conv) {
  return ConvFunction<Conv>::apply(if_defined(x), if_defined(args.weight), if_defined(args.bias),
                                   if_defined(args.per_sample), if_defined(args.residual), conv);
}

}  // namespace edmund::ops
