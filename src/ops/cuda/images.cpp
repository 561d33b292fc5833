// Attention, halving, doubling, joining and adding of images on the GPU.
#include "glue.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace edmund::ops::cuda {
namespace {

using Context = torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// factor · sums of 2×2 pixels.
Tensor halved(const Tensor& x, float factor) {
  const c10::cuda::CUDAGuard guard(x.device());
  const std::int64_t H = x.size(2) / 2, W = x.size(3) / 2;
  Tensor y = empty_image(x, x.size(1), H, W);
  C10_CUDA_CHECK(shrink(element_of(x), x.size(0) * H, W, x.size(1), x.const_data_ptr(), factor, y.mutable_data_ptr(),
                        stream_of(x)));
  return y;
}

// factor · each pixel, as 2×2 of them.
Tensor doubled(const Tensor& x, float factor) {
  const c10::cuda::CUDAGuard guard(x.device());
  const std::int64_t H = x.size(2), W = x.size(3);
  Tensor y = empty_image(x, x.size(1), 2 * H, 2 * W);
  C10_CUDA_CHECK(
      grow(element_of(x), x.size(0) * H, W, x.size(1), x.const_data_ptr(), factor, y.mutable_data_ptr(), stream_of(x)));
  return y;
}

class Box : public torch::autograd::Function<Box> {
 public:
  static Tensor forward(Context* ctx, const Tensor& x, bool down) {
    ctx->saved_data["down"] = down;
    return down ? halved(channels_last(x), 0.25F) : doubled(channels_last(x), 1.0F);
  }
  static variable_list backward(Context* ctx, variable_list gradients) {
    const at::NoGradGuard no_grad;
    const Tensor dy = channels_last(gradients[0]);
    return {ctx->saved_data["down"].toBool() ? doubled(dy, 0.25F) : halved(dy, 1.0F), {}};
  }
};

}  // namespace

Tensor resample_box(const Tensor& x, Resample direction) {
  const bool down = direction == Resample::kDown;
  if (wants_gradient({&x})) return Box::apply(x, down);
  return down ? halved(channels_last(x), 0.25F) : doubled(channels_last(x), 1.0F);
}

Tensor concat(const Tensor& a, const Tensor& b) {
  return at::cat({channels_last(a), channels_last(b).to(a.scalar_type())}, 1);
}

Tensor combine(double a, const Tensor& x, double b, const Tensor& y) {
  const c10::cuda::CUDAGuard guard(x.device());
  using Type = CombineTask::Type;
  const auto type = y.scalar_type();
  TORCH_CHECK(x.is_contiguous() && at::isFloatingType(type), "combine: x must be contiguous and y of a float type");
  const CombineTask task{.a = a,
                         .b = b,
                         .images = x.size(0),
                         .channels = x.size(1),
                         .pixels = x.size(2) * x.size(3),
                         .is_double = x.scalar_type() == at::kDouble,
                         .y = type == at::kDouble     ? Type::kDouble
                              : type == at::kBFloat16 ? Type::kBfloat16
                              : type == at::kHalf     ? Type::kHalf
                                                      : Type::kFloat,
                         .channels_last = !y.is_contiguous()};
  Tensor out = at::empty_like(x);
  C10_CUDA_CHECK(combine(task, x.const_data_ptr(), y.const_data_ptr(), out.mutable_data_ptr(), stream_of(x)));
  return out;
}

Tensor attention(const Tensor& qkv, std::int64_t heads) {
  const std::int64_t B = qkv.size(0), C = qkv.size(1) / 3, H = qkv.size(2), W = qkv.size(3), L = H * W;
  const Tensor rows = channels_last(qkv).permute({0, 2, 3, 1}).reshape({B, L, heads, C / heads, 3});
  const Tensor parts = rows.permute({4, 0, 1, 2, 3}).contiguous().transpose(2, 3);  // [3, B, heads, L, d]
  const Tensor out = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  return out.transpose(1, 2).reshape({B, H, W, C}).permute({0, 3, 1, 2});
}

}  // namespace edmund::ops::cuda
