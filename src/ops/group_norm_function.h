#pragma once

#include "autograd.h"
#include "edmund/ops/ops.h"

#include <cmath>
#include <cstdint>

/// Autograd of group_norm_silu, the same on both devices.
namespace edmund::ops {

/// What a call is beside its tensors.
struct NormSettings {
  std::int64_t groups = 1;
  double eps = 0.0;
  bool silu = true;
  double dropout = 0.0;
  std::uint64_t seed = 0;
  std::uint32_t layer = 0;
  bool inner = false;

  explicit NormSettings(const GroupNorm& args)
      : groups(args.groups), eps(args.eps), silu(args.silu), inner(args.inner) {
    if (args.key == nullptr || args.dropout == 0.0) return;
    dropout = args.dropout;
    seed = args.key->seed;
    layer = args.layer;
  }
  /// An element survives if its random word is at least this, and is multiplied by `kept`.
  std::uint32_t limit() const { return static_cast<std::uint32_t>(std::ldexp(dropout, 32)); }
  float kept() const { return static_cast<float>(1.0 / (1.0 - dropout)); }
};

/// The parameters as kernels read them: float32 and contiguous; scale and shift may be undefined.
struct NormInputs {
  Tensor weight, bias, scale, shift;

  NormInputs(const Tensor& weight_, const Tensor& bias_, const Tensor& scale_, const Tensor& shift_)
      : weight(plain(weight_)), bias(plain(bias_)), scale(plain(scale_)), shift(plain(shift_)) {}
};

/// Gradients of group_norm_silu's inputs. Those of the parameters come from sums over the pixels of
/// each image and channel, of dz and of dz·(x - mean)/deviation, dz the gradient of what is left of
/// x by normalization, weight, bias, scale and shift.
struct NormGradients {
  Tensor x, weight, bias, scale, shift;
};

/// `Norm` is a device's NormSettings; all images are channels-last.
///   forward(x, norm, inputs, rows) → y; rows: whatever backward needs.
///   backward(x, dy, rows, norm, inputs, grads) → the gradients of x and of those others that
///       `grads` asks for.
template <typename Norm, auto forward_of, auto backward_of>
class NormFunction : public torch::autograd::Function<NormFunction<Norm, forward_of, backward_of>> {
 public:
  using Context = torch::autograd::AutogradContext;
  using Maybe = std::optional<Tensor>;

  static Tensor forward(Context* ctx, const Maybe& input, const Maybe& weight, const Maybe& bias, const Maybe& scale,
                        const Maybe& shift, const Norm& norm) {
    const Tensor x = channels_last(*input);
    const NormInputs inputs(*weight, *bias, scale.value_or(Tensor()), shift.value_or(Tensor()));
    ctx->saved_data["grads"] = wanted_gradients({&input, &weight, &bias, &scale, &shift});
    Tensor rows;
    Tensor y = forward_of(x, norm, inputs, rows);
    ctx->save_for_backward({x, rows, inputs.weight, inputs.bias, inputs.scale});
    save_value(ctx, norm);
    return y;
  }

  static torch::autograd::variable_list backward(Context* ctx, torch::autograd::variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const Norm norm = saved_value<Norm>(ctx);
    const Tensor& x = saved[0];
    const NormInputs inputs{saved[2], saved[3], saved[4], {}};
    const InputGrads grads(ctx->saved_data["grads"].toInt());
    NormGradients out = backward_of(x, channels_last(gradients[0]), saved[1], norm, inputs, grads);
    return {out.x, out.weight, out.bias, out.scale, out.shift, {}};
  }
};

/// group_norm_silu of a device.
template <typename Norm, auto forward_of, auto backward_of>
Tensor normalized(const Tensor& x, const GroupNorm& args, const Norm& norm) {
  if (wants_gradient({&x, &args.weight, &args.bias, &args.scale, &args.shift}))
    return NormFunction<Norm, forward_of, backward_of>::apply(if_defined(x), if_defined(args.weight),
                                                              if_defined(args.bias), if_defined(args.scale),
                                                              if_defined(args.shift), norm);
  Tensor rows;
  return forward_of(channels_last(x), norm, NormInputs(args.weight, args.bias, args.scale, args.shift), rows);
}

}  // namespace edmund::ops
