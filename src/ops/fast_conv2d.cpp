// conv2d on the CPU: in bfloat16 by ATen (oneDNN) where asked for and available; else 1×1 as a matrix product, filters
// that winograd_tile() knows by the Winograd algorithm (set_conv_algorithm), others by ATen's direct convolution.
#include "edmund/core/format.h"
#include "edmund/ops/device.h"
#include "fast_conv.h"

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
#include <torch/csrc/autograd/custom_function.h>
#include <tuple>

namespace edmund::ops::cpu {
namespace {

enum class Method { kMatrix, kWinograd, kDirect, kBf16 };

// Gradients are written for square 3×3 filters with one zero around the image.
Method method_of(const Tensor& weight, at::IntArrayRef padding, Caching caching) {
  const auto R = weight.size(2), S = weight.size(3);
  const bool usual = R == 3 && S == 3 && padding[0] == 1 && padding[1] == 1;
  const bool there = caching == Caching::kOff ? usual : winograd_tile(R, S).has_value();
  const bool winograd = there && conv_algorithm() == ConvAlgorithm::kWinograd;
  if (precision() == Precision::kBf16 && has_bf16()) {
    // Without AMX bfloat16 saves less time than Winograd does, and of few channels less than it takes to cast.
    const bool slower = !has_bf16_tiles() && (winograd || weight.size(0) * weight.size(1) < 16'384);
    if (conv_algorithm() == ConvAlgorithm::kDirect || !slower) return Method::kBf16;
  }
  if (R == 1 && S == 1 && padding[0] == 0 && padding[1] == 0) return Method::kMatrix;
  return winograd ? Method::kWinograd : Method::kDirect;
}

Tail tail_of(const Conv2d& args) {
  Tail out{.residual = args.residual.defined() ? channels_last(args.residual) : Tensor(),
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

Tensor matrix(const Tensor& x, const Tensor& packed, std::int64_t K, const Tail& tail) {
  const std::int64_t B = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3);
  const Tensor y = empty_image(B, K, H, W);
  const float *from = x.const_data_ptr<float>(), *b = packed.const_data_ptr<float>();
  const float* residual = data_or_null(tail.residual);
  float* to = y.data_ptr<float>();
  const auto& table = kernel_table();
  PixelTasks(B, H * W).run([&](std::int64_t image, std::int64_t, std::int64_t first, std::int64_t last) {
    const std::int64_t at = image * H * W + first;
    const Output out{.y = to + at * K,
                     .add = tail.row(image),
                     .residual = residual != nullptr ? residual + at * K : nullptr,
                     .scale = tail.scale,
                     .relu = tail.relu};
    table.gemm(from + at * C, C, last - first, C, K, b, out);
  });
  return y;
}

void add_tail(const Tensor& y, const Tail& tail) {
  if (!tail.add.defined() && !tail.residual.defined() && tail.scale == 1.0F) return;
  const std::int64_t B = y.size(0), K = y.size(1), pixels = y.size(2) * y.size(3);
  const float* residual = data_or_null(tail.residual);
  float* data = y.data_ptr<float>();
  PixelTasks(B, pixels).run([&](std::int64_t image, std::int64_t, std::int64_t first, std::int64_t last) {
    const std::int64_t at = (image * pixels + first) * K;
    kernel_table().epilogue(data + at, last - first, K, tail.row(image), residual != nullptr ? residual + at : nullptr,
                            tail.scale);
  });
}

Tensor bf16(const Tensor& x) { return x.to(at::kBFloat16); }
Tensor fp32(const Tensor& x) { return x.defined() ? channels_last(x.to(at::kFloat)) : x; }

Tensor forward(const Tensor& input, const Tensor& weight, const Tail& tail, at::IntArrayRef padding, Caching caching) {
  const Tensor x = channels_last(input);
  Tensor y;
  switch (method_of(weight, padding, caching)) {
    case Method::kMatrix: return matrix(x, packed_weight(weight, Packing::kMatrix, caching), weight.size(0), tail);
    case Method::kWinograd: return winograd(x, weight, Packing::kWinograd, caching, padding, tail);
    case Method::kBf16:
      y = fp32(at::conv2d(bf16(x), packed_weight(weight, Packing::kBf16, caching), std::nullopt, 1, padding));
      break;
    case Method::kDirect: y = channels_last(at::conv2d(x, weight, std::nullopt, 1, padding)); break;
  }
  add_tail(y, tail);
  return tail.relu ? y.relu_() : y;
}

// Gradients for what was added, of those that are wanted.
struct TailGradients {
  Tensor residual, bias, per_sample;  // dy·scale, and its sums over all pixels [K] and over those of each image [B, K]
};

TailGradients tail_gradients(const Tensor& dy, double scale, const InputGrads& grads) {
  TailGradients out{.residual = grads(4) ? dy : Tensor()};
  if (!grads(2) && !grads(3)) {
    if (grads(4) && scale != 1.0) out.residual = dy * scale;
    return out;
  }
  const std::int64_t B = dy.size(0), K = dy.size(1), pixels = dy.size(2) * dy.size(3);
  if (grads(4) && scale != 1.0) out.residual = at::empty_like(dy);
  const PixelTasks tasks(B, pixels);
  const Tensor parts = at::empty({B, tasks.parts, K}, at::kFloat);
  const float* from = dy.const_data_ptr<float>();
  float *to = grads(4) && scale != 1.0 ? out.residual.data_ptr<float>() : nullptr, *rows = parts.data_ptr<float>();
  tasks.run([&](std::int64_t image, std::int64_t part, std::int64_t first, std::int64_t last) {
    const std::int64_t at = (image * pixels + first) * K;
    float* row = rows + (image * tasks.parts + part) * K;
    std::fill_n(row, K, 0.0F);
    kernel_table().scaled_sums(from + at, last - first, K, static_cast<float>(scale), to != nullptr ? to + at : nullptr,
                               row);
  });
  // Each sum of rows in order, in place: an image's into its first, the images' into the bias's.
  const auto add = [&](float* sum, const float* row) {
    for (std::int64_t k = 0; k < K; ++k) sum[k] += row[k];
  };
  for (std::int64_t row = 0; row < B * tasks.parts; ++row)
    if (row % tasks.parts != 0) add(rows + row / tasks.parts * tasks.parts * K, rows + row * K);
  if (grads(2)) {
    out.bias = at::empty({K}, at::kFloat);
    std::copy_n(rows, K, out.bias.data_ptr<float>());
    for (std::int64_t image = 1; image < B; ++image) add(out.bias.data_ptr<float>(), rows + image * tasks.parts * K);
  }
  if (grads(3)) out.per_sample = parts.select(1, 0);
  return out;
}

// dw = scale · dyᵀ·x over all pixels. Small ones: each thread sums those of its own pixels, which its cache may hold; others: threads share the rows.
// Chunks of pixels stay in the second-level cache while all products of them are made.
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
    constexpr std::int64_t kChunk = 512;
    for (std::int64_t p = p0; p < p1; p += kChunk)
      table.gemm_transposed(gradient + p * K + k0, K, from + p * C, C, std::min(kChunk, p1 - p), k1 - k0, C,
                            to + k0 * C, C, p > p0);
  };
  const bool by_pixels = C * K <= 16'384 && pixels >= 512 * threads;
  const std::int64_t copies = by_pixels ? threads : 1;
  const Tensor sums = at::empty({copies, K, C, 1, 1}, at::kFloat);
  float* to = sums.data_ptr<float>();
  const std::int64_t share = std::max<std::int64_t>(12, (K + threads - 1) / threads);
  if (by_pixels) {
    at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        sum(pixels * i / threads, pixels * (i + 1) / threads, 0, K, to + i * K * C);
    });
  } else {
    at::parallel_for(0, K, share, [&](std::int64_t k0, std::int64_t k1) { sum(0, pixels, k0, k1, to); });
  }
  if (copies > 1 || scale != 1.0F)
    at::parallel_for(0, K * C, 8192, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = 1; i < copies; ++i)
        for (std::int64_t n = begin; n < end; ++n) to[n] += to[i * K * C + n];
      for (std::int64_t n = begin; n < end; ++n) to[n] *= scale;
    });
  return sums[0];
}

class Function : public torch::autograd::Function<Function> {
 public:
  using Context = torch::autograd::AutogradContext;

  using Maybe = std::optional<Tensor>;

  static Tensor forward(Context* ctx, const Maybe& input, const Maybe& weights, const Maybe& bias,
                        const Maybe& per_sample, const Maybe& residual, double scale, std::int64_t y_pad,
                        std::int64_t x_pad) {
    const Tensor x = channels_last(*input), weight = *weights;
    ctx->save_for_backward({x, weight});
    ctx->saved_data["grads"] = wanted_gradients({&input, &weights, &bias, &per_sample, &residual});
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["y_pad"] = y_pad;
    ctx->saved_data["x_pad"] = x_pad;
    const Conv2d args{.bias = bias.value_or(Tensor()),
                      .per_sample = per_sample.value_or(Tensor()),
                      .residual = residual.value_or(Tensor()),
                      .scale = scale};
    return cpu::forward(x, weight, tail_of(args), {y_pad, x_pad}, Caching::kOff);
  }

  static torch::autograd::variable_list backward(Context* ctx, torch::autograd::variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], dy = channels_last(gradients[0]);
    const Timed timed([&] {
      const auto taps = static_cast<double>(weight.size(2) * weight.size(3));
      return described(format("conv {}x{} backward", weight.size(2), weight.size(3)), x, weight.size(0), 2.0 * taps);
    });
    const double scale = ctx->saved_data["scale"].toDouble();
    const std::array<std::int64_t, 2> padding{ctx->saved_data["y_pad"].toInt(), ctx->saved_data["x_pad"].toInt()};
    const InputGrads grads(ctx->saved_data["grads"].toInt());
    const TailGradients added = tail_gradients(dy, scale, grads);
    Tensor dx, dw;
    const Tail tail{.scale = static_cast<float>(scale)};
    switch (method_of(weight, padding, Caching::kOff)) {
      case Method::kMatrix:
        if (grads(0)) dx = matrix(dy, packed_weight(weight, Packing::kMatrixBackward, Caching::kOff), x.size(1), tail);
        if (grads(1)) dw = matrix_weight_gradient(x, dy, tail.scale);
        break;
      case Method::kWinograd:
        if (grads(0)) dx = winograd(dy, weight, Packing::kWinogradBackward, Caching::kOff, padding, tail);
        if (grads(1)) dw = winograd_weight_gradient(x, dy, tail.scale);
        break;
      case Method::kBf16:
        std::tie(dx, dw, std::ignore) = at::convolution_backward(
            bf16(scale == 1.0 ? dy : dy * scale), bf16(x), packed_weight(weight, Packing::kBf16, Caching::kOff),
            std::nullopt, {1, 1}, padding, {1, 1}, false, {0, 0}, 1, {grads(0), grads(1), false});
        dx = fp32(dx), dw = dw.defined() ? dw.to(at::kFloat).contiguous() : dw;
        break;
      case Method::kDirect:
        std::tie(dx, dw, std::ignore) =
            at::convolution_backward(scale == 1.0 ? dy : dy * scale, x, weight, std::nullopt, {1, 1}, padding, {1, 1},
                                     false, {0, 0}, 1, {grads(0), grads(1), false});
    }
    return {dx, dw, added.bias, added.per_sample, added.residual, {}, {}, {}};
  }
};

}  // namespace

Tensor conv2d(const Tensor& x, const Conv2d& args) {
  const auto padding = zeros_around(args);
  if (!wants_gradient({&x, &args.weight, &args.bias, &args.per_sample, &args.residual}))
    return forward(x, args.weight, tail_of(args), padding, Caching::kOn);
  const Tensor y =
      Function::apply(if_defined(x), if_defined(args.weight), if_defined(args.bias), if_defined(args.per_sample),
                      if_defined(args.residual), args.scale, padding[0], padding[1]);
  return args.relu ? y.relu() : y;
}

}  // namespace edmund::ops::cpu
