#include "edmund/io/image_io.h"

#include <algorithm>
#include <ATen/ATen.h>

namespace edmund {

Tensor image_grid(const Tensor& images, std::int64_t columns, std::int64_t zoom, std::int64_t gap) {
  TORCH_CHECK(images.dim() == 4 && images.size(0) > 0, "image_grid: [B, C, H, W] with B > 0 expected, found ",
              images.sizes());
  TORCH_CHECK(columns > 0 && zoom > 0 && gap >= 0, "image_grid: columns and zoom at least 1, gap at least 0 expected");
  const std::int64_t across = std::min(columns, images.size(0)), rows = (images.size(0) + across - 1) / across;
  const std::int64_t height = images.size(2) * zoom, width = images.size(3) * zoom;
  const Tensor large = images.repeat_interleave(zoom, 2).repeat_interleave(zoom, 3);
  const auto white = images.options();
  Tensor grid = at::full({images.size(1), rows * (height + gap) - gap, across * (width + gap) - gap}, 255, white);
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const std::int64_t top = i / across * (height + gap), left = i % across * (width + gap);
    grid.narrow(1, top, height).narrow(2, left, width).copy_(large[i]);
  }
  return grid;
}

}  // namespace edmund
