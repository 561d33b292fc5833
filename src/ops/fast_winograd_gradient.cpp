// Gradients of the weights of 3×3 convolutions by the Winograd algorithm on the CPU.
#include "cpu/cache_budget.h"
#include "edmund/ops/threads.h"
#include "fast_conv.h"
#include "fast_winograd.h"
#include "parallel.h"
#include "share_sums.h"

#include <algorithm>
#include <ATen/ops/empty.h>

namespace edmund::ops::cpu {
namespace {

// Gradient of a 3×3 weight: dU = Σ over tiles of V·(A dY Aᵀ), products of [C, tiles]·[tiles, K] for
// each point; then dw = Gᵀ dU G.
constexpr std::int64_t kSquare3 = kWinogradTiles[static_cast<int>(WinogradTile::k3x3)].points;
template <typename Products>
struct GradientTask {
  using Number = typename Products::Number;
  Products products;
  const KernelTable& table = kernel_table();
  Tiles tiles;
  std::int64_t count, C, K;
  const float *x, *dy;
  float scale, *dw;
  std::int64_t c_row = products.gradient_row(C), k_row = products.gradient_row(K);

  // V and A dY Aᵀ of some tiles.
  void transform(const Range& t, const PlanesOf<Number>& v, const PlanesOf<Number>& y) const {
    products.input_by_tiles(tiles, x, C, t, v);
    products.gradient_by_tiles(tiles, dy, K, t, y);
  }
  void by_blocks() const;
  void by_parts() const;
};

// Few channels: each share of the tiles sums a dU of its own over blocks of them, all in one cache.
template <typename Products>
void GradientTask<Products>::by_blocks() const {
  const std::int64_t row = whole(K, table.panel), usual = shares_of(count, kGradientShareTiles, kGradientShares),
                     shares = std::min(count, std::max<std::int64_t>(2, usual));
  const std::int64_t plane = plane_of(C * row), own = kSquare3 * plane;
  const std::int64_t most = std::max<std::int64_t>(24, kGradientTiles / (kSquare3 * (C + K)));
  const std::int64_t v_plane = plane_of(products.rows(most) * c_row), y_plane = plane_of(products.rows(most) * k_row);
  const Tensor sums = at::empty({shares * own}, at::kFloat);
  float* const first_sum = sums.data_ptr<float>();
  parallel_for(0, shares, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = count * i / shares, last = count * (i + 1) / shares;
      const std::int64_t rounds = (last - first + most - 1) / most;
      auto* const v = numbers<Number>(scratch(Scratch::kTiles, kSquare3 * (v_plane + y_plane)));
      auto* const y = v + kSquare3 * v_plane;
      for (std::int64_t round = 0; round < rounds; ++round) {
        const Range block{first + (last - first) * round / rounds, first + (last - first) * (round + 1) / rounds};
        transform(block, {v, v_plane, c_row}, {y, y_plane, k_row});
        const GemmSize size{.m = C, .n = K, .k = products.rows(block.last - block.first)};
        for (std::int64_t p = 0; p < kSquare3; ++p)
          products.kernels.gemm_transposed({v + p * v_plane, c_row}, {y + p * y_plane, k_row}, size,
                                           {first_sum + i * own + p * plane, row}, round > 0);
      }
    }
  });
  parallel_for(0, C, std::max<std::int64_t>(1, 512 / K), [&](std::int64_t c0, std::int64_t c1) {
    for (std::int64_t p = 0; p < kSquare3; ++p)
      add_shares(first_sum + p * plane + c0 * row, shares, (c1 - c0) * row, own);
    table.winograd_filter_gradient({first_sum + c0 * row, plane, row}, {c0, c1}, {0, K}, C, scale, dw);
  });
}

// Many channels: all tiles are transformed, in chunks that bound the memory; then each thread makes
// parts of dU, each of which stays in its cache from its products to the transform, unless further
// chunks are to be added.
template <typename Products>
void GradientTask<Products>::by_parts() const {
  constexpr std::int64_t kPartK = 64;  // output channels of a part
  // Large parts read the tiles less often; there should be four for each thread.
  const std::int64_t part_c = C * K >= 512 * kPartK * ops::threads() ? 128 : 48;
  const std::int64_t chunks =
      std::max<std::int64_t>(1, kSquare3 * (c_row + k_row) * products.rows(count) / kGradientChunk);
  const std::int64_t chunk = whole((count + chunks - 1) / chunks, 2), rows = products.rows(chunk);
  const std::int64_t v_plane = plane_of(rows * c_row), y_plane = plane_of(rows * k_row);
  const std::int64_t c_parts = (C + part_c - 1) / part_c, k_parts = (K + kPartK - 1) / kPartK;
  const std::int64_t u_plane = plane_of(part_c * kPartK), part = kSquare3 * u_plane;
  auto* const v = numbers<Number>(scratch(Scratch::kImage, kSquare3 * (v_plane + y_plane)));
  auto* const y = v + kSquare3 * v_plane;
  const Tensor sums = chunks > 1 ? at::empty({c_parts * k_parts * part}, at::kFloat) : Tensor();
  float* kept = sums.defined() ? sums.data_ptr<float>() : nullptr;
  for (std::int64_t t0 = 0; t0 < count; t0 += chunk) {
    const std::int64_t t1 = std::min(count, t0 + chunk);
    parallel_for(t0, t1, 4, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t row = products.rows(begin - t0);  // pieces begin at multiples of four
      transform({begin, end}, {v + row * c_row, v_plane, c_row}, {y + row * k_row, y_plane, k_row});
    });
    parallel_for(0, c_parts * k_parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const Range k{i / c_parts * kPartK, std::min(i / c_parts * kPartK + kPartK, K)};
        const Range c{C * (i % c_parts) / c_parts, C * (i % c_parts + 1) / c_parts};
        const GemmSize size{.m = c.last - c.first, .n = k.last - k.first, .k = products.rows(t1 - t0)};
        float* u = kept != nullptr ? kept + i * part : scratch(Scratch::kTiles, part);
        for (std::int64_t p = 0; p < kSquare3; ++p)
          products.kernels.gemm_transposed({v + p * v_plane + c.first, c_row}, {y + p * y_plane + k.first, k_row}, size,
                                           {u + p * u_plane, kPartK}, t0 > 0);
        if (t1 == count) table.winograd_filter_gradient({u, u_plane, kPartK}, c, k, C, scale, dw);
      }
    });
  }
}

}  // namespace

Tensor winograd_weight_gradient(const Tensor& x, const Tensor& dy, float scale, Multiply multiply) {
  const Tiles tiles = tiles_of(WinogradTile::k3x3, x, 3, 3, {1, 1});
  Tensor dw = at::empty({dy.size(1), x.size(1), 3, 3}, at::kFloat);
  with_products(multiply, [&]<typename Products>(const Products& products) {
    const GradientTask<Products> task{.products = products,
                                      .tiles = tiles,
                                      .count = x.size(0) * tiles.rows * tiles.columns,
                                      .C = x.size(1),
                                      .K = dy.size(1),
                                      .x = x.const_data_ptr<float>(),
                                      .dy = dy.const_data_ptr<float>(),
                                      .scale = scale,
                                      .dw = dw.data_ptr<float>()};
    if (kSquare3 * task.C * task.K <= kGradientByBlocks) {
      task.by_blocks();
    } else {
      task.by_parts();
    }
  });
  return dw;
}

}  // namespace edmund::ops::cpu
