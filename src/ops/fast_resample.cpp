// Halving, doubling, pooling and joining of channels-last images.
#include "box_function.h"
#include "cpu/kernels.h"
#include "fast.h"
#include "parallel.h"

#include <ATen/core/grad_mode.h>
#include <cstring>
#include <torch/csrc/autograd/custom_function.h>

namespace edmund::ops::cpu {
namespace {

using Context = torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// factor · sums of 2×2 pixels.
Tensor shrink(const Tensor& x, float factor) {
  const std::int64_t B = x.size(0), C = x.size(1), H = x.size(2) / 2, W = x.size(3);
  Tensor y = empty_image(B, C, H, W / 2);
  const float* from = x.const_data_ptr<float>();
  float* to = y.data_ptr<float>();
  parallel_for(0, B * H, 4, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      kernel_table().shrink(from + 2 * i * W * C, from + (2 * i + 1) * W * C, W, C, factor, to + i * (W / 2) * C);
  });
  return y;
}

// factor · each pixel, as 2×2 of them.
Tensor grow(const Tensor& x, float factor) {
  const std::int64_t B = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3);
  Tensor y = empty_image(B, C, 2 * H, 2 * W);
  const float* from = x.const_data_ptr<float>();
  float* to = y.data_ptr<float>();
  parallel_for(0, B * H, 4, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      kernel_table().grow(from + i * W * C, W, C, factor, to + 4 * i * W * C, to + (4 * i + 2) * W * C);
  });
  return y;
}

// Channels of `joined`, from `offset` on, to or from an image of their own.
template <bool kOut>
void copy_channels(float* joined, std::int64_t row, std::int64_t offset, float* part, std::int64_t C,
                   std::int64_t pixels) {
  parallel_for(0, pixels, 512, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      float *a = joined + i * row + offset, *b = part + i * C;
      std::memcpy(kOut ? b : a, kOut ? a : b, static_cast<std::size_t>(C) * sizeof(float));
    }
  });
}

Tensor joined(const Tensor& a, const Tensor& b) {
  const std::int64_t B = a.size(0), A = a.size(1), C = A + b.size(1), H = a.size(2), W = a.size(3);
  Tensor y = empty_image(B, C, H, W);
  const Tensor left = channels_last(a), right = channels_last(b);
  copy_channels<false>(y.data_ptr<float>(), C, 0, const_cast<float*>(left.const_data_ptr<float>()), A, B * H * W);
  copy_channels<false>(y.data_ptr<float>(), C, A, const_cast<float*>(right.const_data_ptr<float>()), C - A, B * H * W);
  return y;
}

class Concat : public torch::autograd::Function<Concat> {
 public:
  static Tensor forward(Context* ctx, const Tensor& a, const Tensor& b) {
    ctx->saved_data["first"] = a.size(1);
    return joined(a, b);
  }
  static variable_list backward(Context* ctx, variable_list gradients) {
    const at::NoGradGuard no_grad;
    const Tensor dy = channels_last(gradients[0]);
    const std::int64_t B = dy.size(0), C = dy.size(1), H = dy.size(2), W = dy.size(3),
                       A = ctx->saved_data["first"].toInt();
    Tensor da = empty_image(B, A, H, W), db = empty_image(B, C - A, H, W);
    auto* from = const_cast<float*>(dy.const_data_ptr<float>());
    copy_channels<true>(from, C, 0, da.data_ptr<float>(), A, B * H * W);
    copy_channels<true>(from, C, A, db.data_ptr<float>(), C - A, B * H * W);
    return {da, db};
  }
};

}  // namespace

Tensor resample_box(const Tensor& x, Resample direction) { return box_resampled<shrink, grow>(x, direction); }

Tensor max_pool(const Tensor& input, std::int64_t stride, std::int64_t padding) {
  const Tensor x = channels_last(input);
  const std::int64_t B = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3);
  const std::int64_t out_H = (H + 2 * padding - 3) / stride + 1, out_W = (W + 2 * padding - 3) / stride + 1;
  Tensor y = empty_image(B, C, out_H, out_W);
  const float* from = x.const_data_ptr<float>();
  float* to = y.data_ptr<float>();
  parallel_for(0, B * out_H, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t top = i % out_H * stride - padding;
      const float* rows[3] = {};
      for (std::int64_t r = 0; r < 3; ++r)
        if (top + r >= 0 && top + r < H) rows[r] = from + (i / out_H * H + top + r) * W * C;
      kernel_table().max_pool(rows, W, C, stride, padding, out_W, to + i * out_W * C);
    }
  });
  return y;
}

Tensor concat(const Tensor& a, const Tensor& b) {
  return wants_gradient({&a, &b}) ? Concat::apply(a, b) : joined(a, b);
}

}  // namespace edmund::ops::cpu
