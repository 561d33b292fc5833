#pragma once

#include "../autograd.h"
#include "kernels.h"
#include "operators.h"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

/// What the operators need to hand tensors to kernels. They run on the current stream of their
/// input's GPU.
namespace edmund::ops::cuda {

inline Element element_of(const Tensor& x) {
  switch (x.scalar_type()) {
    case at::kFloat: return Element::kFloat;
    case at::kBFloat16: return Element::kBfloat16;
    case at::kHalf: return Element::kHalf;
    default: TORCH_CHECK(false, "no CUDA kernel for ", x.scalar_type());
  }
}

inline ImageShape image_shape(const Tensor& x) {
  return {.type = element_of(x), .images = x.size(0), .pixels = x.size(2) * x.size(3), .channels = x.size(1)};
}

/// Memory for [B, C, H, W] in the order [B, H, W, C], of the type and on the GPU of `like`.
inline Tensor empty_image(const Tensor& like, std::int64_t C, std::int64_t H, std::int64_t W) {
  return at::empty({like.size(0), C, H, W}, like.options().memory_format(at::MemoryFormat::ChannelsLast));
}

inline Tensor empty_floats(const Tensor& like, at::IntArrayRef shape) {
  return at::empty(shape, like.options().dtype(at::kFloat).memory_format(std::nullopt));
}

inline const float* floats_or_null(const Tensor& x) { return x.defined() ? x.const_data_ptr<float>() : nullptr; }
inline const void* data_or_null(const Tensor& x) { return x.defined() ? x.const_data_ptr() : nullptr; }

/// The keys of draws of `count` numbers a sample; `samples` are the draw's, contiguous.
inline RowKeys row_keys(const Draw& draw, const Tensor& samples, std::int64_t count) {
  TORCH_CHECK(count <= (std::int64_t{1} << 34), "random numbers: more than 2^34 elements a sample");
  return {
      .seed = draw.seed, .stream = draw.stream, .draw = draw.draw, .samples = samples.const_data_ptr<std::int64_t>()};
}

inline cudaStream_t stream_of(const Tensor& x) { return c10::cuda::getCurrentCUDAStream(x.get_device()); }

}  // namespace edmund::ops::cuda
