// Attention, halving, doubling, joining and adding of images on the GPU.
#include "../box_function.h"
#include "glue.h"

#include <ATen/ATen.h>

namespace edmund::ops::cuda {
namespace {

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

CombineTask::Type type_of(at::ScalarType type) {
  using Type = CombineTask::Type;
  switch (type) {
    case at::kFloat: return Type::kFloat;
    case at::kDouble: return Type::kDouble;
    case at::kBFloat16: return Type::kBfloat16;
    case at::kHalf: return Type::kHalf;
    default: TORCH_CHECK(false, "combine: no CUDA kernel for ", type);
  }
}

CombineTask::Layout layout_of(const Tensor& x) {
  return {.type = type_of(x.scalar_type()), .channels_last = !x.is_contiguous()};
}

}  // namespace

Tensor resample_box(const Tensor& x, Resample direction) { return box_resampled<halved, doubled>(x, direction); }

Tensor concat(const Tensor& a, const Tensor& b) {
  return at::cat({channels_last(a), channels_last(b).to(a.scalar_type())}, 1);
}

Tensor combine(std::span<const Term> terms, at::ScalarType dtype, at::MemoryFormat order) {
  const Tensor& first = std::get<Tensor>(terms[0].x);
  const c10::cuda::CUDAGuard guard(first.device());
  const Tensor out = at::empty(first.sizes(), first.options().dtype(dtype).memory_format(order));
  CombineTask task{.images = first.size(0),
                   .channels = first.size(1),
                   .pixels = first.size(2) * first.size(3),
                   .out = out.mutable_data_ptr(),
                   .out_layout = layout_of(out)};
  Tensor samples;
  for (const Term& term : terms) {
    if (const auto* draw = std::get_if<Draw>(&term.x)) {
      TORCH_CHECK(!samples.defined(), "combine: more than one draw");
      samples = draw->samples.contiguous();
      task.noise = row_keys(*draw, samples, task.channels * task.pixels);
      task.noise_type = type_of(draw->dtype);
      task.noise_factor = term.factor;
    } else {
      TORCH_CHECK(task.count < kMostTerms, "combine: more than ", kMostTerms, " images");
      const Tensor& x = std::get<Tensor>(term.x);
      task.terms[task.count++] = {.factor = term.factor, .x = x.const_data_ptr(), .layout = layout_of(x)};
    }
  }
  C10_CUDA_CHECK(combine(task, stream_of(first)));
  return out;
}

Tensor attention(const Tensor& qkv, std::int64_t heads) {
  const std::int64_t B = qkv.size(0), C = qkv.size(1) / 3, H = qkv.size(2), W = qkv.size(3), L = H * W;
  const Tensor rows = channels_last(qkv).permute({0, 2, 3, 1}).reshape({B, L, heads, C / heads, 3});
  // [3, B, heads, L, d]
  const Tensor parts = rows.permute({4, 0, 1, 2, 3}).contiguous().transpose(2, 3);
  const Tensor out = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  return out.transpose(1, 2).reshape({B, H, W, C}).permute({0, 3, 1, 2});
}

}  // namespace edmund::ops::cuda
