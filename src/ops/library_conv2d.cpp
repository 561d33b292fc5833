// Convolutions of training by LibTorch (oneDNN), in float32 or bfloat16. How it sums depends on its
// number of threads, so shares of the images are each done by one.
#include "edmund/ops/threads.h"
#include "fast_conv.h"
#include "parallel.h"
#include "share_sums.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/TensorOperators.h>
#include <cstdint>
#include <optional>
#include <vector>

namespace edmund::ops::cpu {
namespace {

constexpr std::int64_t kMostShares = 8;  // each has a gradient of the weight of its own

std::int64_t shares_of_images(std::int64_t B) { return shares_of(B, 1, kMostShares); }

// work(share, images): `images` takes those of a share out of a batch.
template <typename Work>
void by_images(std::int64_t B, const Work& work) {
  const std::int64_t shares = shares_of_images(B);
  parallel_for(0, shares, 1, [&](std::int64_t begin, std::int64_t end) {
    const LibraryThreads one(1);
    const at::NoGradGuard no_grad;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = B * i / shares, count = B * (i + 1) / shares - first;
      work(i, [&](const Tensor& batch) { return batch.narrow(0, first, count); });
    }
  });
}

}  // namespace

Tensor library_conv2d(const Tensor& x, const Tensor& weight, at::IntArrayRef padding) {
  Tensor y = empty_image(x.size(0), weight.size(0), x.size(2) + 2 * padding[0] - weight.size(2) + 1,
                         x.size(3) + 2 * padding[1] - weight.size(3) + 1);
  by_images(x.size(0), [&](std::int64_t, const auto& images) {
    images(y).copy_(at::conv2d(images(x).to(weight.scalar_type()), weight, std::nullopt, 1, padding));
  });
  return y;
}

ConvGradients library_conv2d_backward(const Tensor& x, const Tensor& weight, const Tensor& dy, double scale,
                                      at::IntArrayRef padding, const InputGrads& grads) {
  const auto dtype = weight.scalar_type();
  const std::int64_t shares = shares_of_images(x.size(0)), size = weight.numel();
  ConvGradients out{.x = grads(kConvX) ? at::empty_like(x) : Tensor()};
  std::vector<std::int64_t> shape{shares};
  shape.insert(shape.end(), weight.sizes().begin(), weight.sizes().end());
  const Tensor sums = grads(kConvWeight) ? at::empty(shape, at::kFloat) : Tensor();
  by_images(x.size(0), [&](std::int64_t share, const auto& images) {
    const Tensor part = images(dy), scaled = (scale == 1.0 ? part : part * scale).to(dtype);
    const auto [of_x, of_weight, of_bias] =
        at::convolution_backward(scaled, images(x).to(dtype), weight, std::nullopt, {1, 1}, padding, {1, 1}, false,
                                 {0, 0}, 1, {grads(kConvX), grads(kConvWeight), false});
    if (grads(kConvX)) images(out.x).copy_(of_x);
    if (grads(kConvWeight)) sums[share].copy_(of_weight);
  });
  if (!grads(kConvWeight)) return out;
  auto* data = sums.data_ptr<float>();
  parallel_for(0, shares > 1 ? size : 0, 8192,
               [&](std::int64_t begin, std::int64_t end) { add_shares(data + begin, shares, end - begin, size); });
  out.weight = shares > 1 ? sums[0].clone() : sums[0];  // without the memory of all shares
  return out;
}

}  // namespace edmund::ops::cpu
