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

// x as rows [pixels, C] that lie `row` floats apart: C rounded up to whole panels, since the kernel
// reads so far.
Tensor padded_rows(const Tensor& x, std::int64_t row) {
  const std::int64_t C = x.size(1);
  const Tensor rows = x.permute({0, 2, 3, 1}).reshape({-1, C});
  if (row == C) return rows;
  Tensor out = at::zeros({rows.size(0), row}, at::kFloat);
  out.narrow(1, 0, C).copy_(rows);
  return out;
}

}  // namespace

Tensor as_image(const Tensor& rows) { return rows.view({1, rows.size(0), 1, rows.size(1)}).permute({0, 3, 1, 2}); }

void matrix_into(const Tensor& y, const Tensor& x, const Tensor& packed, const FoldedEpilogue& epilogue) {
  const std::int64_t B = x.size(0), C = x.size(1), K = y.size(1), H = x.size(2), W = x.size(3);
  const float *from = x.const_data_ptr<float>(), *b = packed.const_data_ptr<float>();
  float* to = y.data_ptr<float>();
  const auto& table = kernel_table();
  PixelTasks(B, H * W).each([&](std::int64_t image, std::int64_t first, std::int64_t last) {
    const std::int64_t at = image * H * W + first;
    table.gemm({from + at * C, C}, {.m = last - first, .n = K, .k = C}, b, cache_budget().gemm_rows, to + at * K,
               epilogue.of_image(image, at * K));
  });
}

Tensor matrix(const Tensor& x, const Tensor& packed, std::int64_t K, const FoldedEpilogue& epilogue) {
  Tensor y = empty_image(x.size(0), K, x.size(2), x.size(3));
  matrix_into(y, x, packed, epilogue);
  return y;
}

// dw = scale · dyᵀ·x over all pixels. Small ones: shares of the pixels are summed by themselves;
// others: threads share the rows. Chunks of pixels stay in the second-level cache while all
// products of them are made.
Tensor matrix_weight_gradient(const Tensor& x, const Tensor& dy, float scale) {
  const auto& table = kernel_table();
  const std::int64_t C = x.size(1), K = dy.size(1), pixels = x.numel() / C, threads = ops::threads();
  const std::int64_t row = (C + table.panel - 1) / table.panel * table.panel, size = K * row;
  const Tensor rows = padded_rows(x, row);
  const float *from = rows.const_data_ptr<float>(), *gradient = dy.const_data_ptr<float>();
  // Sums of pixels [p0, p1) for rows [k0, k1), to their place in `to`.
  const auto sum = [&](std::int64_t p0, std::int64_t p1, std::int64_t k0, std::int64_t k1, float* to) {
    for (std::int64_t p = p0; p < p1; p += kGemmChunkPixels)
      table.gemm_transposed({gradient + p * K + k0, K}, {from + p * row, row},
                            {.m = k1 - k0, .n = row, .k = std::min(kGemmChunkPixels, p1 - p)}, {to + k0 * row, row},
                            p > p0);
  };
  const std::int64_t shares = size <= kGemmByPixels ? shares_of(pixels, kGemmChunkPixels, kGemmShares) : 1;
  const Tensor sums = at::empty({shares, K, row}, at::kFloat);
  float* to = sums.data_ptr<float>();
  if (shares > 1) {
    parallel_for(0, shares, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        sum(pixels * i / shares, pixels * (i + 1) / shares, 0, K, to + i * size);
    });
  } else {
    parallel_for(0, K, std::max<std::int64_t>(12, (K + threads - 1) / threads),
                 [&](std::int64_t k0, std::int64_t k1) { sum(0, pixels, k0, k1, to); });
  }
  if (shares > 1 || scale != 1.0F)
    parallel_for(0, size, 8192, [&](std::int64_t begin, std::int64_t end) {
      float* total = add_shares(to + begin, shares, end - begin, size);
      for (std::int64_t n = 0; n < end - begin; ++n) total[n] *= scale;
    });
  // a gradient keeps its memory, not that of all shares
  const Tensor total = sums[0].narrow(1, 0, C);
  return (shares > 1 ? total.clone() : total).reshape({K, C, 1, 1});
}

Tensor pixel_sums(const Tensor& dy, float scale, float* scaled) {
  const std::int64_t B = dy.size(0), K = dy.size(1), pixels = dy.size(2) * dy.size(3);
  const PixelTasks tasks(B, pixels);
  const ImageSums sums(B, tasks, K);
  const float* from = dy.const_data_ptr<float>();
  tasks.each_share([&](std::int64_t image, std::int64_t share, std::int64_t first, std::int64_t last) {
    const std::int64_t at = (image * pixels + first) * K;
    kernel_table().scaled_sums(from + at, last - first, K, scale, scaled != nullptr ? scaled + at : nullptr,
                               sums.row(image, share));
  });
  return sums.added();
}

}  // namespace edmund::ops::cpu
