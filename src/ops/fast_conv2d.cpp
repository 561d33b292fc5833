// conv2d on the CPU: 1×1 as a matrix product, filters that winograd_tile() knows by the Winograd
// algorithm (set_conv_algorithm), both in float32 or bfloat16, but 3×3 in bfloat16 directly where
// the processor multiplies blocks; others by ATen's direct convolution (oneDNN).
#include "edmund/core/format.h"
#include "edmund/ops/device.h"
#include "fast_conv.h"
#include "share_sums.h"

#include <array>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/TensorOperators.h>
#include <optional>

namespace edmund::ops::cpu {
namespace {

enum class Method { kMatrix, kWinograd, kDirect, kLibrary, kLibraryBf16 };

constexpr Packing kLibraryBf16{Layout::kLibrary, false, Multiply::kBfloat16};

// in·out channels below which casting to bfloat16 for the library takes longer than it saves
constexpr std::int64_t kFewChannels = 16'384;

// Gradients are written for square 3×3 filters with one zero around the image.
Method method_of(const Tensor& weight, at::IntArrayRef padding, Caching caching) {
  const auto R = weight.size(2), S = weight.size(3);
  if (R == 1 && S == 1 && padding[0] == 0 && padding[1] == 0) return Method::kMatrix;
  const bool usual = R == 3 && S == 3 && padding[0] == 1 && padding[1] == 1;
  if (usual && chosen_multiply() == Multiply::kBfloat16 && bf16_kernels()->direct != nullptr) return Method::kDirect;
  const bool has_tile = caching == Caching::kOff ? usual : winograd_tile(R, S).has_value();
  const bool library = conv_algorithm() == ConvAlgorithm::kDirect;
  if (has_tile && !library) return Method::kWinograd;
  const bool pays = library || weight.size(0) * weight.size(1) >= kFewChannels;
  return pays && precision() == Precision::kBf16 && has_bf16() ? Method::kLibraryBf16 : Method::kLibrary;
}

FoldedEpilogue folded(const Conv2d& args) {
  FoldedEpilogue out{.residual = args.residual.defined() ? channels_last(args.residual) : Tensor(),
                     .scale = static_cast<float>(args.scale),
                     .relu = args.relu};
  if (args.per_sample.defined()) {
    out.add = args.bias.defined() ? args.per_sample + args.bias : args.per_sample;
  } else if (args.bias.defined()) {
    out.add = args.bias.unsqueeze(0);
  }
  if (out.add.defined()) out.add = (args.scale == 1.0 ? out.add : out.add * args.scale).contiguous();
  return out;
}

// The epilogue without its ReLU, in place.
void add_epilogue(const Tensor& y, const FoldedEpilogue& epilogue) {
  if (!epilogue.add.defined() && !epilogue.residual.defined() && epilogue.scale == 1.0F) return;
  const std::int64_t B = y.size(0), K = y.size(1), pixels = y.size(2) * y.size(3);
  float* data = y.data_ptr<float>();
  PixelTasks(B, pixels).each([&](std::int64_t image, std::int64_t first, std::int64_t last) {
    const std::int64_t at = (image * pixels + first) * K;
    kernel_table().epilogue(data + at, last - first, K, epilogue.of_image(image, at));
  });
}

// Of x by LibTorch, whose threads may share it as they like where nothing is learned from it.
Tensor by_library(const Tensor& x, const Tensor& weight, at::IntArrayRef padding, Caching caching) {
  if (caching == Caching::kOff) return library_conv2d(x, weight, padding);
  return channels_last(at::conv2d(x.to(weight.scalar_type()), weight, std::nullopt, 1, padding).to(at::kFloat));
}

// Methods that read and write bfloat16.
bool takes_bf16(Method method) {
  const bool by_blocks = method == Method::kMatrix || method == Method::kDirect;
  return by_blocks && chosen_multiply() == Multiply::kBfloat16 && bf16_kernels()->direct != nullptr;
}

Tensor forward(const Tensor& input, const Tensor& weight, const FoldedEpilogue& epilogue, at::IntArrayRef padding,
               Caching caching, at::ScalarType dtype) {
  const Tensor x = channels_last(input);
  Tensor y;
  switch (method_of(weight, padding, caching)) {
    case Method::kMatrix: return matrix(x, weight, false, chosen_multiply(), caching, epilogue, dtype);
    case Method::kWinograd: return winograd(x, weight, false, chosen_multiply(), caching, padding, epilogue);
    case Method::kDirect: return direct(x, weight, false, caching, epilogue, dtype);
    case Method::kLibraryBf16: y = by_library(x, packed_weight(weight, kLibraryBf16, caching), padding, caching); break;
    case Method::kLibrary: y = by_library(x, weight, padding, caching); break;
  }
  add_epilogue(y, epilogue);
  return epilogue.relu ? y.relu_() : y;
}

// Gradients of what the epilogue adds: of the residual dy·scale, of bias and per_sample its sums
// over the pixels.
ConvGradients epilogue_gradients(const Tensor& dy, double scale, const InputGrads& grads) {
  const bool scaled = grads(kConvResidual) && scale != 1.0;
  ConvGradients out{.residual = grads(kConvResidual) ? dy : Tensor()};
  if (!grads(kConvBias) && !grads(kConvPerSample)) {
    if (scaled) out.residual = dy * scale;
    return out;
  }
  if (scaled) out.residual = at::empty_like(dy);
  const Tensor sums = pixel_sums(dy, static_cast<float>(scale), scaled ? out.residual.data_ptr<float>() : nullptr);
  if (grads(kConvBias)) {
    out.bias = at::zeros({sums.size(1)}, at::kFloat);
    add_rows(out.bias.data_ptr<float>(), sums.const_data_ptr<float>(), sums.size(0), sums.size(1), sums.stride(0));
  }
  if (grads(kConvPerSample)) out.per_sample = sums;
  return out;
}

struct Conv {
  double scale = 1.0;
  std::array<std::int64_t, 2> padding = {};
  at::ScalarType dtype = at::kFloat;  // of the result

  static Tensor image(const Tensor& x) { return channels_last(x); }
  static Tensor filter(const Tensor& weight) { return weight; }
  Tensor forward(const Tensor& x, const Conv2d& args) const {
    return cpu::forward(x, args.weight, folded(args), padding, Caching::kOff, dtype);
  }
  ConvGradients backward(const Tensor& x, const Tensor& weight, const Tensor& dy, const InputGrads& grads) const;
};

ConvGradients Conv::backward(const Tensor& x, const Tensor& weight, const Tensor& dy, const InputGrads& grads) const {
  const Timed timed([&] {
    const auto taps = static_cast<double>(weight.size(2) * weight.size(3));
    return described(format("conv {}x{} backward", weight.size(2), weight.size(3)), x, weight.size(0), 2.0 * taps);
  });
  ConvGradients out = epilogue_gradients(dy, scale, grads);
  const FoldedEpilogue scaled{.scale = static_cast<float>(scale)};
  const auto of_library = [&](const Tensor& filter) {
    ConvGradients both = library_conv2d_backward(x, filter, dy, scale, padding, grads);
    out.x = both.x, out.weight = both.weight;
  };
  switch (method_of(weight, padding, Caching::kOff)) {
    case Method::kMatrix:
      if (grads(kConvX)) out.x = matrix(dy, weight, true, chosen_multiply(), Caching::kOff, scaled, x.scalar_type());
      if (grads(kConvWeight)) out.weight = matrix_weight_gradient(x, dy, scaled.scale, chosen_multiply());
      break;
    case Method::kWinograd:
      if (grads(kConvX)) out.x = winograd(dy, weight, true, chosen_multiply(), Caching::kOff, padding, scaled);
      if (grads(kConvWeight)) out.weight = winograd_weight_gradient(x, dy, scaled.scale, chosen_multiply());
      break;
    case Method::kDirect:
      if (grads(kConvX)) out.x = direct(dy, weight, true, Caching::kOff, scaled, x.scalar_type());
      if (grads(kConvWeight)) out.weight = direct_weight_gradient(x, dy, 9, scaled.scale);
      break;
    case Method::kLibraryBf16: of_library(packed_weight(weight, kLibraryBf16, Caching::kOff)); break;
    case Method::kLibrary: of_library(weight); break;
  }
  return out;
}

}  // namespace

Multiply chosen_multiply() {
  return precision() == Precision::kBf16 && bf16_kernels() != nullptr ? Multiply::kBfloat16 : Multiply::kFloat32;
}

Tensor conv2d(const Tensor& input, const Conv2d& args) {
  const auto padding = zeros_around(args);
  const bool records = wants_gradient(input, args);
  const Caching caching = records ? Caching::kOff : Caching::kOn;
  const bool mixes = takes_bf16(method_of(args.weight, padding, caching));
  const Tensor x = mixes ? input : input.to(at::kFloat);
  const at::ScalarType dtype = mixes && args.inner ? inner_dtype(args.weight.size(0)) : at::kFloat;
  if (!records) return forward(x, args.weight, folded(args), padding, caching, dtype);
  const Tensor y = recorded_conv2d(x, args, Conv{.scale = args.scale, .padding = padding, .dtype = dtype});
  return args.relu ? y.relu() : y;
}

}  // namespace edmund::ops::cpu
