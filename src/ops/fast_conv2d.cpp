// conv2d on the CPU: in bfloat16 by ATen (oneDNN) where asked for and available; else 1×1 as a
// matrix product, filters that winograd_tile() knows by the Winograd algorithm
// (set_conv_algorithm), others by ATen's direct convolution.
#include "conv2d_function.h"
#include "cpu/cache_budget.h"
#include "edmund/core/format.h"
#include "edmund/ops/device.h"
#include "fast_conv.h"
#include "parallel.h"

#include <algorithm>
#include <array>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/Parallel.h>
#include <optional>
#include <tuple>

namespace edmund::ops::cpu {
namespace {

enum class Method { kMatrix, kWinograd, kDirect, kBf16 };

constexpr std::int64_t kFewChannels =
    16'384;  // in·out channels below which casting to bfloat16 takes longer than it saves

// Gradients are written for square 3×3 filters with one zero around the image.
Method method_of(const Tensor& weight, at::IntArrayRef padding, Caching caching) {
  const auto R = weight.size(2), S = weight.size(3);
  const bool usual = R == 3 && S == 3 && padding[0] == 1 && padding[1] == 1;
  const bool has_tile = caching == Caching::kOff ? usual : winograd_tile(R, S).has_value();
  const bool winograd = has_tile && conv_algorithm() == ConvAlgorithm::kWinograd;
  if (precision() == Precision::kBf16 && has_bf16()) {
    // Without AMX bfloat16 saves less time than the Winograd algorithm does.
    const bool slower = !has_bf16_tiles() && (winograd || weight.size(0) * weight.size(1) < kFewChannels);
    if (conv_algorithm() == ConvAlgorithm::kDirect || !slower) return Method::kBf16;
  }
  if (R == 1 && S == 1 && padding[0] == 0 && padding[1] == 0) return Method::kMatrix;
  return winograd ? Method::kWinograd : Method::kDirect;
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

Tensor matrix(const Tensor& x, const Tensor& packed, std::int64_t K, const FoldedEpilogue& epilogue) {
  const std::int64_t B = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3);
  const Tensor y = empty_image(B, K, H, W);
  const float *from = x.const_data_ptr<float>(), *b = packed.const_data_ptr<float>();
  float* to = y.data_ptr<float>();
  const auto& table = kernel_table();
  PixelTasks(B, H * W).run([&](std::int64_t image, std::int64_t, std::int64_t first, std::int64_t last) {
    const std::int64_t at = image * H * W + first;
    table.gemm({from + at * C, C}, {.m = last - first, .n = K, .k = C}, b, cache_budget().gemm_rows, to + at * K,
               epilogue.of_image(image, at * K));
  });
  return y;
}

// The epilogue without its ReLU, in place.
void add_epilogue(const Tensor& y, const FoldedEpilogue& epilogue) {
  if (!epilogue.add.defined() && !epilogue.residual.defined() && epilogue.scale == 1.0F) return;
  const std::int64_t B = y.size(0), K = y.size(1), pixels = y.size(2) * y.size(3);
  float* data = y.data_ptr<float>();
  PixelTasks(B, pixels).run([&](std::int64_t image, std::int64_t, std::int64_t first, std::int64_t last) {
    const std::int64_t at = (image * pixels + first) * K;
    kernel_table().epilogue(data + at, last - first, K, epilogue.of_image(image, at));
  });
}

Tensor bf16(const Tensor& x) { return x.to(at::kBFloat16); }
Tensor fp32(const Tensor& x) { return x.defined() ? channels_last(x.to(at::kFloat)) : x; }

Tensor forward(const Tensor& input, const Tensor& weight, const FoldedEpilogue& epilogue, at::IntArrayRef padding,
               Caching caching) {
  const Tensor x = channels_last(input);
  Tensor y;
  switch (method_of(weight, padding, caching)) {
    case Method::kMatrix: return matrix(x, packed_weight(weight, Packing::kMatrix, caching), weight.size(0), epilogue);
    case Method::kWinograd: return winograd(x, weight, Packing::kWinograd, caching, padding, epilogue);
    case Method::kBf16:
      y = fp32(at::conv2d(bf16(x), packed_weight(weight, Packing::kBf16, caching), std::nullopt, 1, padding));
      break;
    case Method::kDirect: y = channels_last(at::conv2d(x, weight, std::nullopt, 1, padding)); break;
  }
  add_epilogue(y, epilogue);
  return epilogue.relu ? y.relu_() : y;
}

void add_row(float* sum, const float* row, std::int64_t K) {
  for (std::int64_t k = 0; k < K; ++k) sum[k] += row[k];
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
  const std::int64_t B = dy.size(0), K = dy.size(1), pixels = dy.size(2) * dy.size(3);
  if (scaled) out.residual = at::empty_like(dy);
  const PixelTasks tasks(B, pixels);
  const Tensor parts = at::empty({B, tasks.parts, K}, at::kFloat);
  const float* from = dy.const_data_ptr<float>();
  float *to = scaled ? out.residual.data_ptr<float>() : nullptr, *rows = parts.data_ptr<float>();
  tasks.run([&](std::int64_t image, std::int64_t part, std::int64_t first, std::int64_t last) {
    const std::int64_t at = (image * pixels + first) * K;
    float* row = rows + (image * tasks.parts + part) * K;
    std::fill_n(row, K, 0.0F);
    kernel_table().scaled_sums(from + at, last - first, K, static_cast<float>(scale), to != nullptr ? to + at : nullptr,
                               row);
  });
  // Each sum of rows in order, in place: an image's into its first, the images' into the bias's.
  for (std::int64_t row = 0; row < B * tasks.parts; ++row)
    if (row % tasks.parts != 0) add_row(rows + row / tasks.parts * tasks.parts * K, rows + row * K, K);
  if (grads(kConvBias)) {
    out.bias = at::empty({K}, at::kFloat);
    auto* bias = out.bias.data_ptr<float>();
    std::copy_n(rows, K, bias);
    for (std::int64_t image = 1; image < B; ++image) add_row(bias, rows + image * tasks.parts * K, K);
  }
  if (grads(kConvPerSample)) out.per_sample = parts.select(1, 0);
  return out;
}

// dw = scale · dyᵀ·x over all pixels. Small ones: each thread sums those of its own pixels; others:
// threads share the rows. Chunks of pixels stay in the second-level cache while all products of
// them are made.
Tensor matrix_weight_gradient(const Tensor& x, const Tensor& dy, float scale) {
  const auto& table = kernel_table();
  const std::int64_t C = x.size(1), K = dy.size(1), pixels = x.numel() / C, threads = at::get_num_threads();
  if (C % table.panel != 0) {  // the kernel would read beyond the last pixel
    const Tensor rows = x.permute({0, 2, 3, 1}).reshape({-1, C}), gradients = dy.permute({0, 2, 3, 1}).reshape({-1, K});
    return at::mm(gradients.t(), rows).mul_(scale).reshape({K, C, 1, 1});
  }
  const float *from = x.const_data_ptr<float>(), *gradient = dy.const_data_ptr<float>();
  // Sums of pixels [p0, p1) for rows [k0, k1), to their place in `to`.
  const auto sum = [&](std::int64_t p0, std::int64_t p1, std::int64_t k0, std::int64_t k1, float* to) {
    for (std::int64_t p = p0; p < p1; p += kGemmChunkPixels)
      table.gemm_transposed({gradient + p * K + k0, K}, {from + p * C, C},
                            {.m = k1 - k0, .n = C, .k = std::min(kGemmChunkPixels, p1 - p)}, {to + k0 * C, C}, p > p0);
  };
  const bool by_pixels = C * K <= kGemmByPixels && pixels >= kGemmChunkPixels * threads;
  const std::int64_t copies = by_pixels ? threads : 1;
  const Tensor sums = at::empty({copies, K, C, 1, 1}, at::kFloat);
  float* to = sums.data_ptr<float>();
  const std::int64_t share = std::max<std::int64_t>(12, (K + threads - 1) / threads);
  if (by_pixels) {
    parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        sum(pixels * i / threads, pixels * (i + 1) / threads, 0, K, to + i * K * C);
    });
  } else {
    parallel_for(0, K, share, [&](std::int64_t k0, std::int64_t k1) { sum(0, pixels, k0, k1, to); });
  }
  if (copies > 1 || scale != 1.0F)
    parallel_for(0, K * C, 8192, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = 1; i < copies; ++i)
        for (std::int64_t n = begin; n < end; ++n) to[n] += to[i * K * C + n];
      for (std::int64_t n = begin; n < end; ++n) to[n] *= scale;
    });
  return sums[0];
}

struct Conv {
  double scale = 1.0;
  std::array<std::int64_t, 2> padding = {};

  static Tensor image(const Tensor& x) { return channels_last(x); }
  static Tensor filter(const Tensor& weight) { return weight; }
  Tensor forward(const Tensor& x, const Conv2d& args) const {
    return cpu::forward(x, args.weight, folded(args), padding, Caching::kOff);
  }
  ConvGradients backward(const Tensor& x, const Tensor& weight, const Tensor& dy, const InputGrads& grads) const;
  // Of x and the weight by ATen.
  std::tuple<Tensor, Tensor, Tensor> aten_backward(const Tensor& dy, const Tensor& x, const Tensor& weight,
                                                   const InputGrads& grads) const {
    return at::convolution_backward(dy, x, weight, std::nullopt, {1, 1}, padding, {1, 1}, false, {0, 0}, 1,
                                    {grads(kConvX), grads(kConvWeight), false});
  }
};

ConvGradients Conv::backward(const Tensor& x, const Tensor& weight, const Tensor& dy, const InputGrads& grads) const {
  const Timed timed([&] {
    const auto taps = static_cast<double>(weight.size(2) * weight.size(3));
    return described(format("conv {}x{} backward", weight.size(2), weight.size(3)), x, weight.size(0), 2.0 * taps);
  });
  ConvGradients out = epilogue_gradients(dy, scale, grads);
  const FoldedEpilogue scaled{.scale = static_cast<float>(scale)};
  switch (method_of(weight, padding, Caching::kOff)) {
    case Method::kMatrix:
      if (grads(kConvX))
        out.x = matrix(dy, packed_weight(weight, Packing::kMatrixBackward, Caching::kOff), x.size(1), scaled);
      if (grads(kConvWeight)) out.weight = matrix_weight_gradient(x, dy, scaled.scale);
      break;
    case Method::kWinograd:
      if (grads(kConvX)) out.x = winograd(dy, weight, Packing::kWinogradBackward, Caching::kOff, padding, scaled);
      if (grads(kConvWeight)) out.weight = winograd_weight_gradient(x, dy, scaled.scale);
      break;
    case Method::kBf16:
      std::tie(out.x, out.weight, std::ignore) = aten_backward(
          bf16(scale == 1.0 ? dy : dy * scale), bf16(x), packed_weight(weight, Packing::kBf16, Caching::kOff), grads);
      out.x = fp32(out.x);
      if (out.weight.defined()) out.weight = out.weight.to(at::kFloat).contiguous();
      break;
    case Method::kDirect:
      std::tie(out.x, out.weight, std::ignore) = aten_backward(scale == 1.0 ? dy : dy * scale, x, weight, grads);
  }
  return out;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Conv2d& args) {
  const auto padding = zeros_around(args);
  if (!wants_gradient(x, args)) return forward(x, args.weight, folded(args), padding, Caching::kOn);
  const Tensor y = recorded_conv2d(x, args, Conv{.scale = args.scale, .padding = padding});
  return args.relu ? y.relu() : y;
}

}  // namespace edmund::ops::cpu
