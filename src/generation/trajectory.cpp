#include "edmund/generation/trajectory.h"

#include "edmund/core/consecutive.h"
#include "edmund/generation/picture.h"

#include <algorithm>
#include <ATen/ops/stack.h>
#include <utility>
#include <vector>

namespace edmund {

Tensor trajectory(ImageGenerator& generator, std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  const auto numbers = consecutive(0, rows);
  const auto trace = std::make_shared<std::vector<Evaluation>>();
  const Generated drawn =
      generator.draw(numbers, class_labels(generator.shape(), generator.sampling().classes, numbers), seed,
                     {.batch_size = rows, .around = [&](Denoiser D) { return recorded(std::move(D), trace); }});
  std::vector<Tensor> strip;  // each [rows, C, H, W]
  for (std::int64_t k = 0; k + 1 < columns; ++k) {
    const auto at =
        static_cast<std::size_t>(k) * trace->size() / static_cast<std::size_t>(std::max<std::int64_t>(columns - 1, 1));
    strip.push_back(picture_of((*trace)[at].denoised));
  }
  strip.push_back(drawn.images);
  return at::stack(strip, 1).flatten(0, 1);  // [rows · columns, C, H, W]
}

}  // namespace edmund
