// conv2d on the GPU: cuDNN's channels-last convolution in the type of `precision`, then one pass for all that is added. Weights are cast for each
// call; for sampling the cast weights are cached until they change.
#include "../packed_weight_cache.h"
#include "glue.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <tuple>
#include <variant>

namespace edmund::ops::cuda {
namespace {

at::ScalarType type_of(Precision precision) {
  return precision == Precision::kBf16 ? at::kBFloat16 : precision == Precision::kFp16 ? at::kHalf : at::kFloat;
}

// Channels-last and dense: to() would leave a part of a tensor as it lies.
Tensor cast(const Tensor& x, at::ScalarType type) {
  if (x.scalar_type() == type) return channels_last(x);
  return x.to(x.options().dtype(type), /*non_blocking=*/false, /*copy=*/true, at::MemoryFormat::ChannelsLast);
}

Tensor cached_cast(const Tensor& weight, at::ScalarType type, std::uint64_t weights) {
  // Never destroyed: at the end of the process there is no driver to give memory back to.
  static auto& cache = *new PackedWeightCache<at::ScalarType, std::monostate>;
  if (weight.is_inference()) return cast(weight, type);
  return cache.get(weight, type, weights, {}, [&] { return cast(weight, type); });
}

// What follows a convolution.
struct Tail {
  Tensor bias, per_sample, residual;
  double scale = 1.0;
};

// y = (y + bias + per_sample + residual)·scale in place.
void add_tail(const Tensor& y, const Tail& tail) {
  if (!tail.bias.defined() && !tail.per_sample.defined() && !tail.residual.defined() && tail.scale == 1.0) return;
  const Tensor bias = plain(tail.bias), per_sample = plain(tail.per_sample),
               residual = tail.residual.defined() ? cast(tail.residual, y.scalar_type()) : Tensor();
  C10_CUDA_CHECK(epilogue(image_shape(y), y.mutable_data_ptr(), floats_or_null(bias), floats_or_null(per_sample),
                          data_or_null(residual), static_cast<float>(tail.scale), stream_of(y)));
}

Tensor forward(const Tensor& x, const Tensor& weight, const Tail& tail, std::int64_t padding) {
  const c10::cuda::CUDAGuard guard(x.device());
  Tensor y = channels_last(at::conv2d(x, weight, std::nullopt, 1, padding));
  add_tail(y, tail);
  return y;
}

// Gradients for what was added: dy·scale, and its sums over the pixels of each image [B, K] if wanted.
Tensor tail_gradients(const Tensor& dy, double scale, bool sums, Tensor& per_image) {
  if (!sums) return scale == 1.0 ? dy : dy * scale;
  const c10::cuda::CUDAGuard guard(dy.device());
  const ImageShape shape = image_shape(dy);
  const Tensor scaled = scale == 1.0 ? dy : at::empty_like(dy);
  const Tensor parts = empty_floats(dy, {dy.size(0), parts_of(shape), dy.size(1)});
  C10_CUDA_CHECK(scaled_sums(shape, dy.const_data_ptr(), static_cast<float>(scale),
                             scale == 1.0 ? nullptr : scaled.mutable_data_ptr(), parts.data_ptr<float>(),
                             stream_of(dy)));
  per_image = parts.sum(1);
  return scaled;
}

class Function : public torch::autograd::Function<Function> {
 public:
  using Context = torch::autograd::AutogradContext;
  using Maybe = std::optional<Tensor>;

  static Tensor forward(Context* ctx, const Maybe& input, const Maybe& weights, const Maybe& bias,
                        const Maybe& per_sample, const Maybe& residual, double scale, std::int64_t padding,
                        std::int64_t type) {
    const auto dtype = static_cast<at::ScalarType>(type);
    const Tensor x = cast(*input, dtype), weight = cast(*weights, dtype);
    ctx->save_for_backward({x, weight});
    ctx->saved_data["grads"] = wanted_gradients({&input, &weights, &bias, &per_sample, &residual});
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["padding"] = padding;
    ctx->saved_data["input"] = static_cast<std::int64_t>(input->scalar_type());
    ctx->saved_data["residual"] =
        static_cast<std::int64_t>(residual.has_value() ? residual->scalar_type() : input->scalar_type());
    return cuda::forward(x, weight,
                         {bias.value_or(Tensor()), per_sample.value_or(Tensor()), residual.value_or(Tensor()), scale},
                         padding);
  }

  static torch::autograd::variable_list backward(Context* ctx, torch::autograd::variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    const double scale = ctx->saved_data["scale"].toDouble();
    const std::int64_t padding = ctx->saved_data["padding"].toInt();
    const auto type = [&](const char* name) { return static_cast<at::ScalarType>(ctx->saved_data[name].toInt()); };
    const InputGrads grads(ctx->saved_data["grads"].toInt());
    Tensor per_image;
    const Tensor dy = tail_gradients(cast(gradients[0], x.scalar_type()), scale, grads(2) || grads(3), per_image);
    const auto [dx, dw, none] = at::convolution_backward(dy, x, weight, std::nullopt, {1, 1}, {padding, padding},
                                                         {1, 1}, false, {0, 0}, 1, {grads(0), grads(1), false});
    return {grads(0) ? dx.to(type("input")) : Tensor(),
            grads(1) ? dw.to(at::kFloat) : Tensor(),
            grads(2) ? per_image.sum(0) : Tensor(),
            grads(3) ? per_image : Tensor(),
            grads(4) ? dy.to(type("residual")) : Tensor(),
            {},
            {},
            {}};
  }
};

}  // namespace

Tensor conv2d(const Tensor& x, const Conv2d& args, const ConvContext& context) {
  const std::int64_t padding = args.padding.value_or(args.weight.size(2) / 2);
  const at::ScalarType type = type_of(context.precision);
  if (wants_gradient({&x, &args.weight, &args.bias, &args.per_sample, &args.residual}))
    return Function::apply(if_defined(x), if_defined(args.weight), if_defined(args.bias), if_defined(args.per_sample),
                           if_defined(args.residual), args.scale, padding, static_cast<std::int64_t>(type));
  return forward(cast(x, type), cached_cast(args.weight, type, context.weights),
                 {args.bias, args.per_sample, args.residual, args.scale}, padding);
}

}  // namespace edmund::ops::cuda
