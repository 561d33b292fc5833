// conv2d on the GPU: cuDNN's channels-last convolution in the type of `precision`, then one pass
// for the epilogue. Weights are cast for each call; for sampling the cast weights are cached until
// they change.
#include "../conv2d_function.h"
#include "../packed_weight_cache.h"
#include "glue.h"

#include <ATen/ATen.h>
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

// y = (y + bias + per_sample + residual)·scale in place.
void add_epilogue(const Tensor& y, const Conv2d& args) {
  if (!args.bias.defined() && !args.per_sample.defined() && !args.residual.defined() && args.scale == 1.0) return;
  const Tensor bias = plain(args.bias), per_sample = plain(args.per_sample),
               residual = args.residual.defined() ? cast(args.residual, y.scalar_type()) : Tensor();
  C10_CUDA_CHECK(epilogue(image_shape(y), y.mutable_data_ptr(), floats_or_null(bias), floats_or_null(per_sample),
                          data_or_null(residual), static_cast<float>(args.scale), stream_of(y)));
}

// x and args.weight of one type, channels-last.
Tensor forward(const Tensor& x, const Conv2d& args, std::int64_t padding) {
  const c10::cuda::CUDAGuard guard(x.device());
  Tensor y = channels_last(at::conv2d(x, args.weight, std::nullopt, 1, padding));
  add_epilogue(y, args);
  return y;
}

// Gradients of what the epilogue adds: dy·scale, and its sums over the pixels of each image [B, K]
// if wanted.
Tensor epilogue_gradients(const Tensor& dy, double scale, bool sums, Tensor& per_image) {
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

struct Conv {
  double scale = 1.0;
  std::int64_t padding = 0;
  at::ScalarType type = at::kFloat;

  Tensor image(const Tensor& x) const { return cast(x, type); }
  Tensor filter(const Tensor& weight) const { return cast(weight, type); }
  Tensor forward(const Tensor& x, const Conv2d& args) const { return cuda::forward(x, args, padding); }
  // Autograd casts each gradient to the type of its input.
  ConvGradients backward(const Tensor& x, const Tensor& weight, const Tensor& gradient, const InputGrads& grads) const {
    Tensor per_image;
    const Tensor dy = epilogue_gradients(gradient, scale, grads(kConvBias) || grads(kConvPerSample), per_image);
    const auto [dx, dw, none] =
        at::convolution_backward(dy, x, weight, std::nullopt, {1, 1}, {padding, padding}, {1, 1}, false, {0, 0}, 1,
                                 {grads(kConvX), grads(kConvWeight), false});
    return {.x = dx,
            .weight = dw,
            .bias = grads(kConvBias) ? per_image.sum(0) : Tensor(),
            .per_sample = grads(kConvPerSample) ? per_image : Tensor(),
            .residual = grads(kConvResidual) ? dy : Tensor()};
  }
};

}  // namespace

Tensor conv2d(const Tensor& x, const Conv2d& args, const ConvContext& context) {
  const std::int64_t padding = args.padding.value_or(args.weight.size(2) / 2);
  const at::ScalarType type = type_of(context.precision);
  if (wants_gradient(x, args)) return recorded_conv2d(x, args, Conv{args.scale, padding, type});
  Conv2d with_cast = args;
  with_cast.weight = cached_cast(args.weight, type, context.weights);
  return forward(cast(x, type), with_cast, padding);
}

}  // namespace edmund::ops::cuda
