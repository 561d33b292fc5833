// Convolutions by the Winograd algorithm on the CPU: which tiles, channels and points are worked on
// together, so that each step's output is still in cache for the next.
#include "fast_winograd.h"

#include "cpu/cache_budget.h"
#include "edmund/ops/threads.h"
#include "fast_conv.h"
#include "parallel.h"

#include <algorithm>
#include <ATen/ops/empty.h>

namespace edmund::ops::cpu {
namespace {

const WinogradTileShape& shape_of(WinogradTile kind) { return kWinogradTiles[static_cast<int>(kind)]; }

template <typename Products>
struct Task {
  using Number = typename Products::Number;
  Products products;
  const KernelTable& table = kernel_table();
  Tiles tiles;
  std::int64_t count, points, C, K;  // tiles of all images
  const float* x;
  float* y;
  Epilogue epilogue;
  std::int64_t threads = ops::threads(), panels = (K + table.panel - 1) / table.panel;

  void tile_major(const Number* packed) const;
  void filter_major(const Number* packed, const FilterWeight& weight) const;
};

// Many tiles: a block of them is transformed, multiplied and transformed back by one thread, in its
// own cache. The packed filter is read once a block.
template <typename Products>
void Task<Products>::tile_major(const Number* packed) const {
  const CacheBudget& budget = cache_budget();
  const std::int64_t row = products.row(C), depth = products.depth(C), filter = plane_of(depth * panels * table.panel);
  // A block should be high enough to use each weight often; its products are made for some output
  // channels at a time.
  const std::int64_t most = std::max<std::int64_t>(24, budget.winograd_tiles / (points * (depth + K)) / 12 * 12);
  const std::int64_t rounds = (count + most - 1) / most, blocks = std::min(count, whole(rounds, threads));
  parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Range block{count * i / blocks, count * (i + 1) / blocks};
      const std::int64_t height = block.last - block.first;
      const std::int64_t columns =
          std::clamp<std::int64_t>(budget.winograd_products / (points * height) / table.panel, 1, panels) * table.panel;
      const std::int64_t plane = plane_of(height * row), product = plane_of(height * columns);
      float* const m = scratch(Scratch::kTiles, points * (plane + product));
      Number* const v = numbers<Number>(m + points * product);
      products.kernels.winograd_input(tiles, x, C, block, {v, plane, row});
      for (std::int64_t n = 0; n < K; n += columns) {
        const Range channels{n, std::min(n + columns, K)};
        const GemmSize size{.m = height, .n = channels.last - n, .k = depth};
        for (std::int64_t p = 0; p < points; ++p)
          products.kernels.gemm_plane({v + p * plane, row}, size, packed + p * filter + n * depth,
                                      {m + p * product, columns}, false);
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
template <typename Products>
void Task<Products>::filter_major(const Number* packed, const FilterWeight& weight) const {
  const std::int64_t row = products.row(C), plane = plane_of(count * row), panel = table.panel;
  const bool own_tiles = packed != nullptr && count * C <= kOwnTiles;
  const auto transform = [&](Number* to, std::int64_t begin, std::int64_t end) {
    products.kernels.winograd_input(tiles, x, C, {begin, end}, {to + begin * row, plane, row});
  };
  const auto image = [&] { return numbers<Number>(scratch(Scratch::kImage, points * plane)); };
  Number* const shared = own_tiles ? nullptr : image();
  if (!own_tiles)
    parallel_for(0, count, 4, [&](std::int64_t begin, std::int64_t end) { transform(shared, begin, end); });
  const std::int64_t depth = packed != nullptr ? C : std::min(C, kFilterDepth);
  const std::int64_t filter = plane_of(products.depth(depth) * (packed != nullptr ? panels : 1) * panel);
  // Where threads cannot share the panels evenly, they share the tiles too.
  const std::int64_t shares = panels % threads == 0 || panels > 4 * threads ? 1 : std::min(threads, count);
  // a piece transforms its copy once
  const std::int64_t grain = own_tiles ? (panels * shares + threads - 1) / threads : 1;
  parallel_for(0, panels * shares, grain, [&](std::int64_t begin, std::int64_t end) {
    Number* const v = own_tiles ? image() : shared;
    if (own_tiles) transform(v, 0, count);
    for (std::int64_t i = begin; i < end; ++i) {
      const Range share{count * (i % shares) / shares, count * (i % shares + 1) / shares};
      const Range channels{i / shares * panel, std::min(i / shares * panel + panel, K)};
      const std::int64_t height = share.last - share.first, product = plane_of(height * panel);
      float* const m = scratch(Scratch::kTiles, points * (product + (packed != nullptr ? 0 : filter)));
      Number* const own = numbers<Number>(m + points * product);
      for (std::int64_t c = 0; c < C; c += depth) {
        const Range inputs{c, std::min(c + depth, C)};
        if (packed == nullptr)
          products.kernels.winograd_filter(tiles.kind, weight, inputs, channels, {own, filter, products.depth(depth)});
        const Number* u = packed != nullptr ? packed + channels.first * products.depth(C) : own;
        const GemmSize size{
            .m = height, .n = channels.last - channels.first, .k = products.depth(inputs.last - inputs.first)};
        for (std::int64_t p = 0; p < points; ++p)
          products.kernels.gemm_plane({v + p * plane + share.first * row + products.depth(c), row}, size,
                                      u + p * filter, {m + p * product, panel}, c > 0);
      }
      table.winograd_output(tiles, {m, product, panel}, share, channels, y, K, epilogue);
    }
  });
}

}  // namespace

FilterWeight view_of(const Tensor& weight, bool backward) {
  const std::int64_t K = weight.size(0), C = weight.size(1), taps = weight.size(2) * weight.size(3);
  return {.w = weight.const_data_ptr<float>(),
          .K = backward ? C : K,
          .C = backward ? K : C,
          .k_stride = backward ? taps : taps * C,
          .c_stride = backward ? taps * C : taps,
          .rotated = backward};
}

Tiles tiles_of(WinogradTile kind, const Tensor& x, std::int64_t R, std::int64_t S, at::IntArrayRef padding) {
  Tiles out{.kind = kind, .H = x.size(2), .W = x.size(3), .y_pad = padding[0], .x_pad = padding[1]};
  out.out_H = out.H + 2 * padding[0] - R + 1;
  out.out_W = out.W + 2 * padding[1] - S + 1;
  out.rows = (out.out_H + shape_of(kind).height - 1) / shape_of(kind).height;
  out.columns = (out.out_W + shape_of(kind).width - 1) / shape_of(kind).width;
  return out;
}

std::optional<WinogradTile> winograd_tile(std::int64_t R, std::int64_t S) {
  if (R == 3 && S == 3) return WinogradTile::k3x3;
  if (R == 5 && S == 5) return WinogradTile::k5x5;
  if (R == 1 && S == 3) return WinogradTile::k1x3;
  if (R == 3 && S == 1) return WinogradTile::k3x1;
  if (R == 1 && S == 7) return WinogradTile::k1x7;
  if (R == 7 && S == 1) return WinogradTile::k7x1;
  return std::nullopt;
}

Tensor winograd_packed(const Tensor& weight, bool backward, Multiply multiply) {
  const Tensor plain = weight.contiguous();
  const FilterWeight view = view_of(plain, backward);
  const WinogradTile kind = *winograd_tile(weight.size(2), weight.size(3));
  return with_products(multiply, [&]<typename Products>(const Products& products) {
    const std::int64_t panel = products.kernels.panel, depth = products.depth(view.C),
                       plane = plane_of(depth * whole(view.K, panel));
    Tensor packed = at::empty({shape_of(kind).points * plane}, at::kFloat);
    auto* const to = numbers<typename Products::Number>(packed.data_ptr<float>());
    // pairs of channels belong to one thread
    const std::int64_t grain = whole(std::max<std::int64_t>(1, 1024 / view.K), 2);
    parallel_for(0, view.C, grain, [&](std::int64_t first, std::int64_t last) {
      products.kernels.winograd_filter(kind, view, {first, last}, {0, view.K},
                                       {to + products.depth(first) * panel, plane, depth});
    });
    return packed;
  });
}

namespace {

template <typename Products>
void convolve(const Task<Products>& task, const Tensor& weight, const FilterWeight& view, const Packing& packing,
              Caching caching) {
  // A cached filter that fits into each thread's cache may as well be read by all threads, if there
  // are tiles for all.
  const bool small = caching == Caching::kOn &&
                     task.points * task.products.depth(task.C) * task.K <= cache_budget().shared_filter &&
                     task.count >= 4 * task.threads;
  const bool few = task.count < task.K && task.count <= kFilterMajorTiles && !small;
  if (few && caching == Caching::kOff) return task.filter_major(nullptr, view);
  const Tensor packed = packed_weight(weight, packing, caching);
  const auto* const filter = numbers<typename Products::Number>(packed);
  few ? task.filter_major(filter, view) : task.tile_major(filter);
}

}  // namespace

Tensor winograd(const Tensor& x, const Tensor& weight, bool backward, Multiply multiply, Caching caching,
                at::IntArrayRef padding, const FoldedEpilogue& epilogue) {
  const Tensor plain = weight.contiguous();
  const FilterWeight view = view_of(plain, backward);
  const WinogradTile kind = *winograd_tile(weight.size(2), weight.size(3));
  const Tiles tiles = tiles_of(kind, x, weight.size(2), weight.size(3), padding);
  Tensor y = empty_image(x.size(0), view.K, tiles.out_H, tiles.out_W);
  with_products(multiply, [&]<typename Products>(const Products& products) {
    convolve(Task<Products>{.products = products,
                            .tiles = tiles,
                            .count = x.size(0) * tiles.rows * tiles.columns,
                            .points = shape_of(kind).points,
                            .C = view.C,
                            .K = view.K,
                            .x = x.const_data_ptr<float>(),
                            .y = y.data_ptr<float>(),
                            .epilogue = epilogue.all()},
             weight, view, {Layout::kWinograd, backward, multiply}, caching);
  });
  return y;
}

}  // namespace edmund::ops::cpu
