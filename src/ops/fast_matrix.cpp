// Matrix products of pixels or rows with a weight on the CPU: 1×1 convolutions and linear layers,
// and their gradients.
#include "cpu/cache_budget.h"
#include "edmund/ops/threads.h"
#include "fast_conv.h"
#include "parallel.h"
#include "share_sums.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

namespace edmund::ops::cpu {
namespace {

constexpr std::int64_t kPairRows = 48;  // that are rounded at a time, at least

// x as rows [pixels, C] that lie `row` floats apart: C rounded up to whole panels, since the kernel
// reads so far.
Tensor padded_rows(const Tensor& x, std::int64_t row) {
  const std::int64_t C = x.size(1);
  Tensor rows = x.permute({0, 2, 3, 1}).reshape({-1, C});
  if (row == C) return rows;
  Tensor out = at::zeros({rows.size(0), row}, at::kFloat);
  out.narrow(1, 0, C).copy_(rows);
  return out;
}

// The same in pairs of pixels.
Tensor paired_rows(const Tensor& x, std::int64_t row) {
  const std::int64_t C = x.size(1), pixels = x.numel() / C;
  Tensor out = at::empty({(pixels + 1) / 2, row}, at::kFloat);
  const float* from = x.const_data_ptr<float>();
  auto* const to = numbers<Pair>(out.data_ptr<float>());
  parallel_for(0, pixels, 2 * std::max<std::int64_t>(1, 8192 / row), [&](std::int64_t first, std::int64_t last) {
    bf16_kernels()->pair_rows(from + first * C, last - first, C, {to + first / 2 * row, row});
  });
  return out;
}

// Rows of x and of dy, `count` of them, pixels or pairs of pixels.
template <typename Number, typename Kernels>
Tensor summed_products(const Kernels& kernels, const MatrixOf<const Number>& x, const MatrixOf<const Number>& dy,
                       std::int64_t count, std::int64_t K, float scale) {
  const std::int64_t row = x.row, size = K * row, threads = ops::threads();
  // Sums of rows [p0, p1) for outputs [k0, k1), to their place in `to`. Chunks of them stay in the
  // second-level cache while all products of them are made.
  const auto sum = [&](std::int64_t p0, std::int64_t p1, std::int64_t k0, std::int64_t k1, float* to) {
    for (std::int64_t p = p0; p < p1; p += kGemmChunkPixels)
      kernels.gemm_transposed({dy.data + p * dy.row + k0, dy.row}, {x.data + p * row, row},
                              {.m = k1 - k0, .n = row, .k = std::min(kGemmChunkPixels, p1 - p)}, {to + k0 * row, row},
                              p > p0);
  };
  const std::int64_t shares = size <= kGemmByPixels ? shares_of(count, kGemmChunkPixels, kGemmShares) : 1;
  const Tensor sums = at::empty({shares, K, row}, at::kFloat);
  float* to = sums.data_ptr<float>();
  if (shares > 1) {
    parallel_for(0, shares, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) sum(count * i / shares, count * (i + 1) / shares, 0, K, to + i * size);
    });
  } else {
    parallel_for(0, K, std::max<std::int64_t>(12, (K + threads - 1) / threads),
                 [&](std::int64_t k0, std::int64_t k1) { sum(0, count, k0, k1, to); });
  }
  if (shares > 1 || scale != 1.0F)
    parallel_for(0, size, 8192, [&](std::int64_t begin, std::int64_t end) {
      float* total = add_shares(to + begin, shares, end - begin, size);
      for (std::int64_t n = 0; n < end - begin; ++n) total[n] *= scale;
    });
  // a gradient keeps its memory, not that of all shares
  return shares > 1 ? sums[0].clone() : sums[0];
}

}  // namespace

Tensor as_image(const Tensor& rows) { return rows.view({1, rows.size(0), 1, rows.size(1)}).permute({0, 3, 1, 2}); }

void matrix_into(const Tensor& y, const Tensor& x, const Tensor& packed, const FoldedEpilogue& epilogue,
                 Multiply multiply) {
  const std::int64_t B = x.size(0), C = x.size(1), K = y.size(1), H = x.size(2), W = x.size(3);
  const float* b = packed.const_data_ptr<float>();
  const Activations from = activations(x);
  const MutableActivations to = mutable_activations(y);
  const std::int64_t block = cache_budget().gemm_rows;
  PixelTasks(B, H * W).each([&](std::int64_t image, std::int64_t first, std::int64_t last) {
    const std::int64_t at = image * H * W + first;
    if (multiply == Multiply::kFloat32) {
      kernel_table().gemm({x.const_data_ptr<float>() + at * C, C}, {.m = last - first, .n = K, .k = C}, b, block,
                          {y.data_ptr<float>() + at * K, K}, epilogue.of_image(image, at * K));
      return;
    }
    const Bf16Kernels& pairs = *bf16_kernels();
    // rounded rows lie in whole vectors
    const std::int64_t row = whole(C, pairs.panel) / 2, most = std::max(kPairRows, block / row);
    const std::int64_t held = whole(std::min(most, last - first), kBlockRows);
    auto* const rounded = numbers<Pair>(scratch(Scratch::kTiles, held * row));
    for (std::int64_t n = first; n < last; n += most) {
      const std::int64_t rows = std::min(most, last - n), start = image * H * W + n;
      pairs.round_rows(from.from(start * C), rows, C, {rounded, row});
      pairs.gemm({rounded, row}, {.m = rows, .n = K, .k = (C + 1) / 2}, numbers<Pair>(packed), block,
                 to.from(start * K), K, epilogue.of_image(image, start * K));
    }
  });
}

Tensor matrix(const Tensor& x, const Tensor& weight, bool backward, Multiply multiply, Caching caching,
              const FoldedEpilogue& epilogue, at::ScalarType dtype) {
  const Packing packing{Layout::kMatrix, backward, multiply};
  const bool whole_blocks = multiply == Multiply::kBfloat16 && x.size(1) % (2 * kBlockDepth) == 0;
  Tensor y =
      empty_image(x.size(0), weight.size(backward ? 1 : 0), x.size(2), x.size(3), whole_blocks ? dtype : at::kFloat);
  matrix_into(y, x, packed_weight(weight, packing, caching), epilogue, multiply);
  return y.to(dtype);
}

// dw = scale · dyᵀ·x over all pixels. Small ones: shares of the pixels are summed by themselves;
// others: threads share the outputs.
Tensor matrix_weight_gradient(const Tensor& x, const Tensor& dy, float scale, Multiply multiply) {
  if (multiply == Multiply::kBfloat16 && bf16_kernels()->direct_gradient != nullptr)
    return direct_weight_gradient(x, dy, 1, scale);
  const auto& table = kernel_table();
  const auto padded = [&](std::int64_t n) { return whole(n, table.panel); };
  const std::int64_t C = x.size(1), K = dy.size(1), pixels = x.numel() / C, row = padded(C);
  Tensor total;
  if (multiply == Multiply::kFloat32) {
    const Tensor rows = padded_rows(x, row);
    total = summed_products<float>(table, {rows.const_data_ptr<float>(), row}, {dy.const_data_ptr<float>(), K}, pixels,
                                   K, scale);
  } else {
    const Tensor rows = paired_rows(x, row), gradient = paired_rows(dy, padded(K));
    total = summed_products<Pair>(*bf16_kernels(), {numbers<Pair>(rows), row}, {numbers<Pair>(gradient), padded(K)},
                                  (pixels + 1) / 2, K, scale);
  }
  return total.narrow(1, 0, C).reshape({K, C, 1, 1});
}

Tensor pixel_sums(const Tensor& dy, float scale, float* scaled) {
  const std::int64_t B = dy.size(0), K = dy.size(1), pixels = dy.size(2) * dy.size(3);
  const PixelTasks tasks(B, pixels);
  const ImageSums sums(B, tasks, K);
  const Activations from = activations(dy);
  tasks.each_share([&](std::int64_t image, std::int64_t share, std::int64_t first, std::int64_t last) {
    const std::int64_t at = (image * pixels + first) * K;
    const void* const data = from.from(at).data;
    if (from.is_bf16) {
      bf16_kernels()->sums(static_cast<const Bf16*>(data), last - first, K, scale, sums.row(image, share));
    } else {
      kernel_table().scaled_sums(static_cast<const float*>(data), last - first, K, scale,
                                 scaled != nullptr ? scaled + at : nullptr, sums.row(image, share));
    }
  });
  return sums.added();
}

}  // namespace edmund::ops::cpu
