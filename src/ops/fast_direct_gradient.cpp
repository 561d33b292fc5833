// Gradients of the weights of 3×3 and 1×1 convolutions on the CPU in bfloat16, as products of the
// pixels of the result's gradient with those of the input.
#include "cpu/cache_budget.h"
#include "fast_winograd.h"
#include "parallel.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <vector>

namespace edmund::ops::cpu {
namespace {

struct Task {
  const Bf16Kernels& kernels = *bf16_kernels();
  std::int64_t across;  // taps of a row of the filter: 3 or 1
  std::int64_t B, H, W, C, K;
  std::int64_t last_W;  // of the last image: less where the pixels of 1×1 are cut into rows
  Activations x, dy;
  float scale, *dw;
  std::int64_t width = W + W % 2;                                // so that pairs end with a row
  std::int64_t depth = whole((H * width + 1) / 2, kBlockDepth);  // pairs of an image
  // not a whole number of pages apart
  std::int64_t dy_row = B * depth + kBlockDepth;
  std::int64_t copy = (depth + (across - 1) * width / 2) * kernels.panel, image = across * copy;

  std::int64_t width_of(std::int64_t i) const { return i + 1 == B ? last_W : W; }
  // Rows of pixels for each output k.
  Tensor turned() const;
  // Of channels `c` of an image, a copy for each column of the filter.
  void fill(std::int64_t i, const Range& c, Pair* to) const;
  void run() const;
};

Tensor Task::turned() const {
  Tensor out = at::empty({whole(K, kBlockRows), dy_row}, at::kFloat);
  auto* const to = numbers<Pair>(out.data_ptr<float>());
  const bool whole_rows = H == 1 || W == width;  // an image is as good as one row
  const std::int64_t rows = whole_rows ? 1 : H, pixels = whole_rows ? H * W : W;
  parallel_for(0, K, kBlockRows, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = 0; i < B; ++i) {
      const std::int64_t valid = H == 1 ? width_of(i) : pixels;
      for (std::int64_t r = 0; r < rows; ++r) {  // the next one covers what is written beyond a row
        Pair* const row = to + first * dy_row + i * depth + r * width / 2;
        kernels.turn_rows(dy.from((i * H * W + r * pixels) * K), valid, K, {first, last}, {row, dy_row});
      }
      const std::int64_t written = (rows - 1) * width / 2 + whole(valid, kBlockRows) / 2;
      for (std::int64_t k = first; k < last && written < depth; ++k)
        std::fill_n(to + k * dy_row + i * depth + written, depth - written, Pair{0});
    }
  });
  return out;
}

void Task::fill(std::int64_t i, const Range& c, Pair* to) const {
  const std::int64_t panel = kernels.panel, edge = across / 2, pairs = width / 2;
  for (std::int64_t n = 0; n < across; ++n, to += copy) {
    for (std::int64_t r = 0; r < H + 2 * edge; ++r) {
      Pair* const row = to + r * pairs * panel;
      if (r < edge || r >= H + edge) {
        std::fill_n(row, pairs * panel, Pair{0});
      } else {
        kernels.pair_pixels(x.from((i * H + r - edge) * W * C), width_of(i), C, c, n - edge, pairs, row);
      }
    }
    const std::int64_t written = (H + 2 * edge) * pairs * panel;
    std::fill_n(to + written, copy - written, Pair{0});
  }
}

void Task::run() const {
  const Tensor rows = turned();
  const std::int64_t panel = kernels.panel, panels = (C + panel - 1) / panel, taps = across * across;
  const std::int64_t together = std::clamp<std::int64_t>(kDirectPairs / image, 1, B);
  std::vector<long> begins;
  for (std::int64_t t = 0; t < taps; ++t) begins.push_back(t % across * copy + t / across * (width / 2) * panel);
  // Where there are few panels of channels, threads share the outputs of each.
  const std::int64_t blocks = (K + kBlockRows - 1) / kBlockRows;
  const std::int64_t groups = cuts_for_threads(panels, blocks);
  parallel_for(0, panels * groups, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t group = i % groups;
      const Range c{i / groups * panel, std::min(i / groups * panel + panel, C)};
      const Range k{blocks * group / groups * kBlockRows, std::min(blocks * (group + 1) / groups * kBlockRows, K)};
      const std::int64_t plane = plane_of(whole(k.last - k.first, kBlockRows) * panel);
      float* const sums = scratch(Scratch::kTiles, taps * plane + together * image);
      auto* const pixels = numbers<Pair>(sums + taps * plane);
      for (std::int64_t b = 0; b < B; b += together) {
        const std::int64_t images = std::min(together, B - b);
        for (std::int64_t n = 0; n < images; ++n) fill(b + n, c, pixels + n * image);
        kernels.direct_gradient({.dy = {numbers<Pair>(rows) + b * depth, dy_row},
                                 .images = images,
                                 .depth = depth,
                                 .x = pixels,
                                 .x_image = image,
                                 .taps = begins.data(),
                                 .across = across,
                                 .k = k,
                                 .sums = {sums, plane, panel},
                                 .accumulate = b > 0});
      }
      kernels.direct_filter_gradient({sums, plane, panel}, taps, c, k, C, scale, dw);
    }
  });
}

}  // namespace

Tensor direct_weight_gradient(const Tensor& x, const Tensor& dy, std::int64_t taps, float scale) {
  const std::int64_t C = x.size(1), K = dy.size(1), pixels = x.numel() / C;
  const bool one = taps == 1;  // all pixels side by side, cut into rows
  const std::int64_t across = one ? 1 : 3, W = one ? std::min(kDirectPixels, pixels) : x.size(3),
                     B = one ? (pixels + W - 1) / W : x.size(0);
  Tensor dw = at::empty({K, C, across, across}, at::kFloat);
  Task{.across = across,
       .B = B,
       .H = one ? 1 : x.size(2),
       .W = W,
       .C = C,
       .K = K,
       .last_W = one ? pixels - (B - 1) * W : W,
       .x = activations(x),
       .dy = activations(dy),
       .scale = scale,
       .dw = dw.data_ptr<float>()}
      .run();
  return dw;
}

}  // namespace edmund::ops::cpu
