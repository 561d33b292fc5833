// Convolutions by the Winograd algorithm on the CPU: which tiles, channels and points are worked on
// together, so that each step's output is still in cache for the next.
#include "cpu/cache_budget.h"
#include "fast_conv.h"
#include "parallel.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <ATen/Parallel.h>

namespace edmund::ops::cpu {
namespace {

std::int64_t whole(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

// Planes start one cache line apart modulo the page, so that stores to all of them side by side do
// not meet in one cache set.
std::int64_t plane_of(std::int64_t floats) { return whole(floats, 1024) + 16; }

// Rows of numbers for each tile: not a whole number of 256 bytes apart, for the same reason.
std::int64_t row_of(std::int64_t channels) {
  const std::int64_t row = whole(channels, kernel_table().panel);
  return row % 64 == 0 ? row + 16 : row;
}

const WinogradTileShape& shape_of(WinogradTile kind) { return kWinogradTiles[static_cast<int>(kind)]; }

Tiles tiles_of(WinogradTile kind, const Tensor& x, std::int64_t R, std::int64_t S, at::IntArrayRef padding) {
  Tiles out{.kind = kind, .H = x.size(2), .W = x.size(3), .y_pad = padding[0], .x_pad = padding[1]};
  out.out_H = out.H + 2 * padding[0] - R + 1;
  out.out_W = out.W + 2 * padding[1] - S + 1;
  out.rows = (out.out_H + shape_of(kind).height - 1) / shape_of(kind).height;
  out.columns = (out.out_W + shape_of(kind).width - 1) / shape_of(kind).width;
  return out;
}

struct Task {
  const KernelTable& table = kernel_table();
  Tiles tiles;
  std::int64_t count, points, C, K;  // tiles of all images
  const float* x;
  float* y;
  Epilogue epilogue;
  std::int64_t threads = at::get_num_threads(), panels = (K + table.panel - 1) / table.panel;
};

// Many tiles: a block of them is transformed, multiplied and transformed back by one thread, in its
// own cache. The packed filter is read once a block.
void tile_major(const Task& task, const float* packed) {
  const auto& [table, tiles, count, points, C, K, x, y, epilogue, threads, panels] = task;
  const CacheBudget& budget = cache_budget();
  const std::int64_t row = row_of(C), filter = plane_of(C * panels * table.panel);
  // A block should be high enough to use each weight often; its products are made for some output
  // channels at a time.
  const std::int64_t most = std::max<std::int64_t>(24, budget.winograd_tiles / (points * (C + K)) / 12 * 12);
  const std::int64_t rounds = (count + most - 1) / most, blocks = std::min(count, whole(rounds, threads));
  parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Range block{count * i / blocks, count * (i + 1) / blocks};
      const std::int64_t height = block.last - block.first;
      const std::int64_t columns =
          std::clamp<std::int64_t>(budget.winograd_products / (points * height) / table.panel, 1, panels) * table.panel;
      const std::int64_t plane = plane_of(height * row), product = plane_of(height * columns);
      float *v = scratch(Scratch::kTiles, points * (plane + product)), *m = v + points * plane;
      table.winograd_input(tiles, x, C, block, {v, plane, row});
      for (std::int64_t n = 0; n < K; n += columns) {
        const Range channels{n, std::min(n + columns, K)};
        const GemmSize size{.m = height, .n = channels.last - n, .k = C};
        for (std::int64_t p = 0; p < points; ++p)
          table.gemm_plane({v + p * plane, row}, size, packed + p * filter + n * C, {m + p * product, columns}, false);
        table.winograd_output(tiles, {m, product, columns}, block, channels, y, K, epilogue);
      }
    }
  });
}

// Tiles of which each thread transforms a copy of its own: that takes less time than to wait for
// the others.
constexpr std::int64_t kOwnTiles = 2048;  // floats of one point

// Few tiles: all are transformed once, then each panel of output channels is made by one thread,
// which reads its part of the filter once; or, where that is not cached, transforms it itself,
// kFilterDepth input channels at a time.
void filter_major(const Task& task, const float* packed, const FilterWeight& weight) {
  const auto& [table, tiles, count, points, C, K, x, y, epilogue, threads, panels] = task;
  const std::int64_t row = row_of(C), plane = plane_of(count * row), panel = table.panel;
  const bool own_tiles = packed != nullptr && count * C <= kOwnTiles;
  const auto transform = [&](float* to, std::int64_t begin, std::int64_t end) {
    table.winograd_input(tiles, x, C, {begin, end}, {to + begin * row, plane, row});
  };
  float* const shared = own_tiles ? nullptr : scratch(Scratch::kImage, points * plane);
  if (!own_tiles)
    parallel_for(0, count, 4, [&](std::int64_t begin, std::int64_t end) { transform(shared, begin, end); });
  const std::int64_t depth = packed != nullptr ? C : std::min(C, kFilterDepth);
  const std::int64_t filter = packed != nullptr ? plane_of(C * panels * panel) : plane_of(depth * panel);
  // Where threads cannot share the panels evenly, they share the tiles too.
  const std::int64_t shares = panels % threads == 0 || panels > 4 * threads ? 1 : std::min(threads, count);
  // a piece transforms its copy once
  const std::int64_t grain = own_tiles ? (panels * shares + threads - 1) / threads : 1;
  parallel_for(0, panels * shares, grain, [&](std::int64_t begin, std::int64_t end) {
    float* const v = own_tiles ? scratch(Scratch::kImage, points * plane) : shared;
    if (own_tiles) transform(v, 0, count);
    for (std::int64_t i = begin; i < end; ++i) {
      const Range share{count * (i % shares) / shares, count * (i % shares + 1) / shares};
      const Range channels{i / shares * panel, std::min(i / shares * panel + panel, K)};
      const std::int64_t height = share.last - share.first, product = plane_of(height * panel);
      float* m = scratch(Scratch::kTiles, points * (product + (packed != nullptr ? 0 : filter)));
      float* own = m + points * product;
      for (std::int64_t c = 0; c < C; c += depth) {
        const Range inputs{c, std::min(c + depth, C)};
        if (packed == nullptr) table.winograd_filter(tiles.kind, weight, inputs, channels, {own, filter, depth});
        const float* u = packed != nullptr ? packed + channels.first * C : own;
        const GemmSize size{.m = height, .n = channels.last - channels.first, .k = inputs.last - c};
        for (std::int64_t p = 0; p < points; ++p)
          table.gemm_plane({v + p * plane + share.first * row + c, row}, size, u + p * filter, {m + p * product, panel},
                           c > 0);
      }
      table.winograd_output(tiles, {m, product, panel}, share, channels, y, K, epilogue);
    }
  });
}

FilterWeight view_of(const Tensor& weight, bool backward) {
  const std::int64_t K = weight.size(0), C = weight.size(1), taps = weight.size(2) * weight.size(3);
  return {.w = weight.const_data_ptr<float>(),
          .K = backward ? C : K,
          .C = backward ? K : C,
          .k_stride = backward ? taps : taps * C,
          .c_stride = backward ? taps * C : taps,
          .rotated = backward};
}

// Gradient of a 3×3 weight: dU = Σ over tiles of V·(A dY Aᵀ), products of [C, tiles]·[tiles, K] for
// each point; then dw = Gᵀ dU G.
constexpr std::int64_t kSquare3 = kWinogradTiles[static_cast<int>(WinogradTile::k3x3)].points;
struct GradientTask {
  const KernelTable& table = kernel_table();
  Tiles tiles;
  std::int64_t count, C, K;
  const float *x, *dy;
  float scale, *dw;
  std::int64_t c_row = row_of(C), k_row = row_of(K);

  // V and A dY Aᵀ of some tiles.
  void transform(const Range& t, const Planes& v, const Planes& y) const {
    table.winograd_input(tiles, x, C, t, v);
    table.winograd_gradient(tiles, dy, K, t, y);
  }
};

// Few channels: each thread sums a dU of its own over blocks of tiles, all in its cache.
void gradient_by_blocks(const GradientTask& task) {
  const auto& [table, tiles, count, C, K, x, dy, scale, dw, c_row, k_row] = task;
  const std::int64_t threads = std::min<std::int64_t>(at::get_num_threads(), count), row = whole(K, table.panel);
  const std::int64_t plane = plane_of(C * row), own = kSquare3 * plane;
  const std::int64_t most = std::max<std::int64_t>(24, kGradientTiles / (kSquare3 * (C + K)));
  const std::int64_t v_plane = plane_of(most * c_row), y_plane = plane_of(most * k_row);
  const Tensor sums = at::empty({threads * own}, at::kFloat);
  float* const first_sum = sums.data_ptr<float>();
  parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = count * i / threads, last = count * (i + 1) / threads;
      const std::int64_t rounds = (last - first + most - 1) / most;
      float *v = scratch(Scratch::kTiles, kSquare3 * (v_plane + y_plane)), *y = v + kSquare3 * v_plane;
      for (std::int64_t round = 0; round < rounds; ++round) {
        const Range block{first + (last - first) * round / rounds, first + (last - first) * (round + 1) / rounds};
        task.transform(block, {v, v_plane, c_row}, {y, y_plane, k_row});
        const GemmSize size{.m = C, .n = K, .k = block.last - block.first};
        for (std::int64_t p = 0; p < kSquare3; ++p)
          table.gemm_transposed({v + p * v_plane, c_row}, {y + p * y_plane, k_row}, size,
                                {first_sum + i * own + p * plane, row}, round > 0);
      }
    }
  });
  parallel_for(0, C, std::max<std::int64_t>(1, 512 / K), [&](std::int64_t c0, std::int64_t c1) {
    for (std::int64_t i = 1; i < threads; ++i)
      for (std::int64_t p = 0; p < kSquare3; ++p) {
        float* sum = first_sum + p * plane;
        for (std::int64_t n = c0 * row; n < c1 * row; ++n) sum[n] += sum[i * own + n];
      }
    table.winograd_filter_gradient({first_sum + c0 * row, plane, row}, {c0, c1}, {0, K}, C, scale, dw);
  });
}

// Many channels: all tiles are transformed, in chunks that bound the memory; then each thread makes
// parts of dU, each of which stays in its cache from its products to the transform, unless further
// chunks are to be added.
void gradient_by_parts(const GradientTask& task) {
  const auto& [table, tiles, count, C, K, x, dy, scale, dw, c_row, k_row] = task;
  constexpr std::int64_t kPartK = 64;  // output channels of a part
  // Large parts read the tiles less often; there should be four for each thread.
  const std::int64_t part_c = C * K >= 4 * 128 * kPartK * at::get_num_threads() ? 128 : 48;
  const std::int64_t chunks = std::max<std::int64_t>(1, kSquare3 * (c_row + k_row) * count / kGradientChunk);
  const std::int64_t chunk = (count + chunks - 1) / chunks;
  const std::int64_t v_plane = plane_of(chunk * c_row), y_plane = plane_of(chunk * k_row);
  const std::int64_t c_parts = (C + part_c - 1) / part_c, k_parts = (K + kPartK - 1) / kPartK;
  const std::int64_t u_plane = plane_of(part_c * kPartK), part = kSquare3 * u_plane;
  float *v = scratch(Scratch::kImage, kSquare3 * (v_plane + y_plane)), *y = v + kSquare3 * v_plane;
  const Tensor sums = chunks > 1 ? at::empty({c_parts * k_parts * part}, at::kFloat) : Tensor();
  float* kept = sums.defined() ? sums.data_ptr<float>() : nullptr;
  for (std::int64_t t0 = 0; t0 < count; t0 += chunk) {
    const std::int64_t t1 = std::min(count, t0 + chunk);
    parallel_for(t0, t1, 4, [&](std::int64_t begin, std::int64_t end) {
      task.transform({begin, end}, {v + (begin - t0) * c_row, v_plane, c_row},
                     {y + (begin - t0) * k_row, y_plane, k_row});
    });
    parallel_for(0, c_parts * k_parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const Range k{i / c_parts * kPartK, std::min(i / c_parts * kPartK + kPartK, K)};
        const Range c{C * (i % c_parts) / c_parts, C * (i % c_parts + 1) / c_parts};
        const GemmSize size{.m = c.last - c.first, .n = k.last - k.first, .k = t1 - t0};
        float* u = kept != nullptr ? kept + i * part : scratch(Scratch::kTiles, part);
        for (std::int64_t p = 0; p < kSquare3; ++p)
          table.gemm_transposed({v + p * v_plane + c.first, c_row}, {y + p * y_plane + k.first, k_row}, size,
                                {u + p * u_plane, kPartK}, t0 > 0);
        if (t1 == count) table.winograd_filter_gradient({u, u_plane, kPartK}, c, k, C, scale, dw);
      }
    });
  }
}

}  // namespace

std::optional<WinogradTile> winograd_tile(std::int64_t R, std::int64_t S) {
  if (R == 3 && S == 3) return WinogradTile::k3x3;
  if (R == 5 && S == 5) return WinogradTile::k5x5;
  if (R == 1 && S == 3) return WinogradTile::k1x3;
  if (R == 3 && S == 1) return WinogradTile::k3x1;
  if (R == 1 && S == 7) return WinogradTile::k1x7;
  if (R == 7 && S == 1) return WinogradTile::k7x1;
  return std::nullopt;
}

Tensor winograd_packed(const Tensor& weight, bool backward) {
  const auto& table = kernel_table();
  const Tensor plain = weight.contiguous();
  const FilterWeight view = view_of(plain, backward);
  const WinogradTile kind = *winograd_tile(weight.size(2), weight.size(3));
  const std::int64_t plane = plane_of(view.C * whole(view.K, table.panel));
  const Tensor packed = at::empty({shape_of(kind).points * plane}, at::kFloat);
  float* to = packed.data_ptr<float>();
  parallel_for(0, view.C, std::max<std::int64_t>(1, 1024 / view.K), [&](std::int64_t first, std::int64_t last) {
    table.winograd_filter(kind, view, {first, last}, {0, view.K}, {to + first * table.panel, plane, view.C});
  });
  return packed;
}

Tensor winograd(const Tensor& x, const Tensor& weight, Packing packing, Caching caching, at::IntArrayRef padding,
                const FoldedEpilogue& epilogue) {
  const bool backward = packing == Packing::kWinogradBackward;
  const Tensor plain = weight.contiguous();
  const FilterWeight view = view_of(plain, backward);
  const WinogradTile kind = *winograd_tile(weight.size(2), weight.size(3));
  const Tiles tiles = tiles_of(kind, x, weight.size(2), weight.size(3), padding);
  const Tensor y = empty_image(x.size(0), view.K, tiles.out_H, tiles.out_W);
  const Task task{.tiles = tiles,
                  .count = x.size(0) * tiles.rows * tiles.columns,
                  .points = shape_of(kind).points,
                  .C = view.C,
                  .K = view.K,
                  .x = x.const_data_ptr<float>(),
                  .y = y.data_ptr<float>(),
                  .epilogue = epilogue.all()};
  // A cached filter that fits into each thread's cache may as well be read by all threads, if there
  // are tiles for all.
  const bool small = caching == Caching::kOn && task.points * task.C * task.K <= cache_budget().shared_filter &&
                     task.count >= 4 * task.threads;
  const bool few = task.count < task.K && task.count <= kFilterMajorTiles && !small;
  if (few && caching == Caching::kOff) {
    filter_major(task, nullptr, view);
    return y;
  }
  const Tensor packed = packed_weight(weight, packing, caching);
  if (few) {
    filter_major(task, packed.const_data_ptr<float>(), view);
  } else {
    tile_major(task, packed.const_data_ptr<float>());
  }
  return y;
}

Tensor winograd_weight_gradient(const Tensor& x, const Tensor& dy, float scale) {
  const Tiles tiles = tiles_of(WinogradTile::k3x3, x, 3, 3, {1, 1});
  const Tensor dw = at::empty({dy.size(1), x.size(1), 3, 3}, at::kFloat);
  const GradientTask task{.tiles = tiles,
                          .count = x.size(0) * tiles.rows * tiles.columns,
                          .C = x.size(1),
                          .K = dy.size(1),
                          .x = x.const_data_ptr<float>(),
                          .dy = dy.const_data_ptr<float>(),
                          .scale = scale,
                          .dw = dw.data_ptr<float>()};
  if (kSquare3 * task.C * task.K <= kGradientByBlocks) {
    gradient_by_blocks(task);
  } else {
    gradient_by_parts(task);
  }
  return dw;
}

}  // namespace edmund::ops::cpu
