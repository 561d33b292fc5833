// Direct convolutions on the CPU in bfloat16: which pixels are rounded together, and where they lie
// while they are multiplied.
#include "cpu/cache_budget.h"
#include "edmund/ops/threads.h"
#include "fast_winograd.h"
#include "parallel.h"

#include <algorithm>
#include <array>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <vector>

namespace edmund::ops::cpu {
namespace {

constexpr std::int64_t kTaps = 9, kTapsAcross = 3;

// Pairs of C channels, whole depths.
std::int64_t depth_of(std::int64_t C) { return whole((C + 1) / 2, kBlockDepth); }

// Where the pixels of some rows of an image lie, and the pixels around them, so that a block of
// pixels finds the input of each tap kBlockRows pixels side by side. Where rows are whole blocks,
// all taps read the same pixels, else there is a copy for each column of the filter, which begins
// where that column does, and blocks go on from row to row.
struct Layout3x3 {
  std::int64_t W, row, depth;  // pixels; pairs of a pixel, apart and used
  bool copies;

  Layout3x3(std::int64_t width, std::int64_t C)
      : W(width), row(spread(depth_of(C))), depth(depth_of(C)), copies(width % kBlockRows != 0) {}

  std::int64_t line() const { return copies ? W : W + 2; }
  std::int64_t copy(std::int64_t rows) const { return (rows + 2) * line() + (copies ? kBlockRows : 0); }
  // pairs
  std::int64_t size(std::int64_t rows) const { return (copies ? kTapsAcross : 1) * copy(rows) * row; }
  std::array<long, kTaps> taps(std::int64_t rows) const {
    std::array<long, kTaps> out = {};
    for (std::int64_t tap = 0; tap < kTaps; ++tap) {
      const std::int64_t y = tap / kTapsAcross, x = tap % kTapsAcross;
      out[static_cast<std::size_t>(tap)] = (y * line() + (copies ? x * copy(rows) : x)) * row;
    }
    return out;
  }
  // Where the block with this pixel of the rows begins.
  std::int64_t begin(std::int64_t pixel) const { return (copies ? pixel : pixel / W * line() + pixel % W) * row; }
};

struct Task {
  const Bf16Kernels& kernels = *bf16_kernels();
  Layout3x3 layout;
  std::int64_t B, H, C, K;
  Activations x;
  MutableActivations y;
  Epilogue epilogue;
  const Pair* packed;

  // Rows [first, last) of an image and those beside them, in the place of `height` rows.
  void fill(std::int64_t image, const Range& rows, std::int64_t height, Pair* to) const;
  // A chunk is some whole images or, of large ones, some rows of one.
  void run() const;
};

void Task::fill(std::int64_t image, const Range& rows, std::int64_t height, Pair* to) const {
  const std::int64_t W = layout.W, row = layout.row, line = layout.line(), copy = layout.copy(height);
  const auto zeros = [&](Pair* at, std::int64_t pixels) { std::fill_n(at, pixels * row, Pair{0}); };
  for (std::int64_t r = rows.first - 1; r <= rows.last; ++r, to += line * row) {
    const bool inside = r >= 0 && r < H;
    const auto from = [&](std::int64_t pixel) { return x.from(((image * H + r) * W + pixel) * C); };
    if (!layout.copies) {
      if (!inside) {
        zeros(to, line);
        continue;
      }
      zeros(to, 1);
      kernels.round_rows(from(0), W, C, {to + row, row});
      zeros(to + (W + 1) * row, 1);
      continue;
    }
    // pixel x of copy n is pixel x + n - 1 of the image
    for (std::int64_t n = 0; n < kTapsAcross; ++n) {
      Pair* const at = to + n * copy * row;
      const std::int64_t before = n == 0 ? 1 : 0, after = n == 2 ? 1 : 0;
      if (!inside) {
        zeros(at, W);
        continue;
      }
      zeros(at, before);
      kernels.round_rows(from(after), W - before - after, C, {at + before * row, row});
      zeros(at + (W - after) * row, after);
    }
  }
}

void Task::run() const {
  const std::int64_t W = layout.W, threads = ops::threads(), budget = cache_budget().direct_rows,
                     panels = (K + kernels.panel - 1) / kernels.panel;
  const std::int64_t rows = std::clamp<std::int64_t>(budget / (layout.size(1) - layout.size(0)) - 2, 1, H),
                     cuts = (H + rows - 1) / rows;
  const std::int64_t share = std::min(budget / layout.size(H), (B + threads - 1) / threads),
                     together = cuts > 1 ? 1 : std::max<std::int64_t>(1, share);
  const std::int64_t chunks = (B + together - 1) / together * cuts;
  // Where there are few chunks, threads share the panels of each, and round its pixels each for
  // themselves.
  const std::int64_t groups = cuts_for_threads(chunks, panels);
  const std::int64_t height = (H + cuts - 1) / cuts, image_size = layout.size(height);
  const std::array<long, kTaps> taps = layout.taps(height);
  parallel_for(0, chunks * groups, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<PixelBlock> blocks;
    for (std::int64_t i = begin, filled = -1; i < end; ++i) {
      const std::int64_t chunk = i / groups, group = i % groups;
      const std::int64_t first = chunk % cuts * height, last = std::min(first + height, H);
      const std::int64_t begin_image = chunk / cuts * together, end_image = std::min(begin_image + together, B);
      if (first >= last) continue;
      // a block may begin at the last pixel
      Pair* const rounded = numbers<Pair>(scratch(Scratch::kTiles, together * image_size + kBlockRows * layout.row));
      if (chunk != filled) {
        blocks.clear();
        for (std::int64_t image = begin_image; image < end_image; ++image) {
          const std::int64_t at = (image - begin_image) * image_size, pixels = (last - first) * W;
          fill(image, {first, last}, height, rounded + at);
          for (std::int64_t p = 0; p < pixels; p += kBlockRows)
            blocks.push_back({.from = at + layout.begin(p),
                              .pixel = (image * H + first) * W + p,
                              .count = std::min(kBlockRows, pixels - p),
                              .image = image});
        }
        filled = chunk;
      }
      const std::int64_t n0 = panels * group / groups * kernels.panel,
                         n1 = std::min(panels * (group + 1) / groups * kernels.panel, K);
      kernels.direct({.rows = {rounded, layout.row},
                      .taps = taps.data(),
                      .tap_count = kTaps,
                      .packed = packed,
                      .plane = plane_of(layout.depth * panels * kernels.panel),
                      .depth = layout.depth,
                      .blocks = blocks.data(),
                      .block_count = static_cast<long>(blocks.size()),
                      .columns = {n0, n1}},
                     y, K, epilogue);
    }
  });
}

}  // namespace

Tensor direct_packed(const Tensor& weight, bool backward) {
  const Tensor plain = weight.contiguous();
  const FilterWeight view = view_of(plain, backward);
  const Bf16Kernels& kernels = *bf16_kernels();
  const std::int64_t depth = depth_of(view.C), panel = kernels.panel, plane = plane_of(depth * whole(view.K, panel));
  Tensor packed = 2 * depth == view.C ? at::empty({kTaps * plane}, at::kFloat) : at::zeros({kTaps * plane}, at::kFloat);
  auto* const to = numbers<Pair>(packed.data_ptr<float>());
  // pairs of channels belong to one thread
  const std::int64_t grain = whole(std::max<std::int64_t>(1, 4096 / view.K), 16);
  parallel_for(0, view.C, grain, [&](std::int64_t first, std::int64_t last) {
    kernels.direct_filter(view, {first, last}, {0, view.K}, {to + first / 2 * panel, plane, depth});
  });
  return packed;
}

Tensor direct(const Tensor& x, const Tensor& weight, bool backward, Caching caching, const FoldedEpilogue& epilogue,
              at::ScalarType dtype) {
  const std::int64_t B = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3), K = weight.size(backward ? 1 : 0);
  Tensor y = empty_image(B, K, H, W, dtype);
  const Tensor packed = packed_weight(weight, {Layout::kDirect, backward, Multiply::kBfloat16}, caching);
  Task{.layout = Layout3x3(W, C),
       .B = B,
       .H = H,
       .C = C,
       .K = K,
       .x = activations(x),
       .y = mutable_activations(y),
       .epilogue = epilogue.all(),
       .packed = numbers<Pair>(packed)}
      .run();
  return y;
}

}  // namespace edmund::ops::cpu
