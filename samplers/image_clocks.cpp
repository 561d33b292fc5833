#include "image_clocks.h"

#include <algorithm>
#include <ATen/ops/zeros.h>
#include <ATen/TensorIndexing.h>

namespace edmund {

ImageClocks::Clock ImageClocks::last() const { return *std::min_element(clocks_.begin(), clocks_.end()); }

bool ImageClocks::done() const { return last().at == kWhole; }

ImageClocks::Step ImageClocks::next() const {
  const auto part = [](std::int64_t length) { return static_cast<double>(length) / kWhole; };
  return {part(last().at), part(last().step)};
}

void ImageClocks::Clock::advance(double error) {
  if (!(error <= 1)) {  // NaN does not pass
    step /= 2;
    return;
  }
  at += step;
  if (32 * error < 0.9 && at < kWhole && at % (2 * step) == 0) step *= 2;
}

Tensor ImageClocks::advance(const Tensor& errors) {
  const Tensor found = errors.to(at::kCPU, at::kDouble), passed = at::zeros(errors.sizes(), at::kBool);
  const Clock now = last();
  for (std::int64_t i = 0; i < found.size(0); ++i) {
    Clock& clock = clocks_[static_cast<std::size_t>(i)];
    if (clock != now) continue;
    clock.advance(found[i].item<double>());
    passed[i] = clock.at > now.at;
  }
  return passed.to(errors.device());
}

}  // namespace edmund
