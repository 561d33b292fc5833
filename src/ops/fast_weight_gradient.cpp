#include "cpu/kernels.h"
#include "fast.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <ATen/Parallel.h>

namespace edmund::ops::cpu {

// dU = Σ over tiles of V·(A dY Aᵀ), 36 products of [C, tiles]·[tiles, K]; then dw = Gᵀ dU G. Chunks of tiles bound the memory.
Tensor winograd_weight_gradient(const Tensor& x, const Tensor& dy, float scale) {
  const auto& table = kernel_table();
  const std::int64_t B = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3), K = dy.size(1);
  const auto padded = [&](std::int64_t n) { return (n + table.panel - 1) / table.panel * table.panel; };
  const std::int64_t c_row = padded(C), k_row = padded(K), tiles = B * ((H + 3) / 4) * ((W + 3) / 4);
  const std::int64_t chunk = std::clamp<std::int64_t>(2'000'000 / (36 * (c_row + k_row)), 64, tiles < 64 ? 64 : tiles);
  // Planes a cache line apart modulo the page: see winograd.cpp.
  const std::int64_t v_plane = (chunk * c_row + 1023) / 1024 * 1024 + 16,
                     y_plane = (chunk * k_row + 1023) / 1024 * 1024 + 16;
  const std::int64_t u_plane = C * k_row + 16;
  const Tensor memory = at::empty({36 * (v_plane + y_plane + u_plane)}, at::kFloat);
  float *v = memory.data_ptr<float>(), *y = v + 36 * v_plane, *u = y + 36 * y_plane;
  const float *from = x.const_data_ptr<float>(), *gradient = dy.const_data_ptr<float>();

  // 36 products are cut further so that each thread has some: by rows of C.
  const std::int64_t cuts = std::max<std::int64_t>(1, std::min<std::int64_t>(C / 24, 4));
  for (std::int64_t t0 = 0; t0 < tiles; t0 += chunk) {
    const std::int64_t t1 = std::min(tiles, t0 + chunk);
    at::parallel_for(t0, t1, 8, [&](std::int64_t begin, std::int64_t end) {
      table.winograd_input(from, H, W, C, begin, end, v + (begin - t0) * c_row, v_plane, c_row);
      table.winograd_gradient(gradient, H, W, K, begin, end, y + (begin - t0) * k_row, y_plane, k_row);
    });
    at::parallel_for(0, 36 * cuts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t p = i / cuts, c0 = C * (i % cuts) / cuts, c1 = C * (i % cuts + 1) / cuts;
        table.gemm_transposed(v + p * v_plane + c0, c_row, y + p * y_plane, k_row, t1 - t0, c1 - c0, K,
                              u + p * u_plane + c0 * k_row, k_row, t0 > 0);
      }
    });
  }
  const Tensor dw = at::empty({K, C, 3, 3}, at::kFloat);
  float* to = dw.data_ptr<float>();
  at::parallel_for(0, C, std::max<std::int64_t>(1, 1024 / K), [&](std::int64_t first, std::int64_t last) {
    table.winograd_weight_gradient(u, u_plane, k_row, K, C, first, last, scale, to);
  });
  return dw;
}

}  // namespace edmund::ops::cpu
