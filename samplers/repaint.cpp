#include "edmund/samplers/repaint.h"

#include "edmund/core/error.h"
#include "edmund/ops/sum.h"
#include "edmund/samplers/posterior.h"

#include <algorithm>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <utility>

namespace edmund {
namespace {

// The known pixels of z at this noise level are those of the image.
Tensor replaced(const Tensor& z, const Tensor& image, const Tensor& mask, double sigma, NoiseSource& noise) {
  const Tensor n = noise.normal(z.sizes().slice(1)).to(z.dtype());
  return mask * z + (1 - mask) * (image + sigma * n);
}

}  // namespace

Sampler repainted(Tensor image, Tensor mask, const Repainting& settings) {
  require(settings.resamples > 0 && settings.jump > 0, "repaint: expected resamples and jump above 0, found {} and {}",
          settings.resamples, settings.jump);
  return [=, image = std::move(image), mask = std::move(mask)](const Denoiser& D, const NoiseSchedule& schedule,
                                                               const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    const auto N = static_cast<std::int64_t>(grid.t.size());
    const auto sigma = [&](std::int64_t i) { return schedule.sigma(grid.t[static_cast<std::size_t>(i)]); };
    const Tensor known = image.to(x.options()), paint = mask.to(x.options());
    Tensor z = replaced(x / schedule.scale(grid.t.front()), known, paint, sigma(0), noise);
    for (std::int64_t first = 0; first < N - 1;) {
      const std::int64_t last = std::min(first + settings.jump, N - 1);
      for (std::int64_t round = 1; round <= settings.resamples; ++round) {
        for (std::int64_t i = first; i < last; ++i) {
          const auto [down, up] = ancestral_step(sigma(i), sigma(i + 1), settings.eta);
          const ops::Sum D_t = D(z, sigma(i)), n = up > 0 ? noise.draw(z) : ops::Sum();
          z = D_t + down / sigma(i) * (z - D_t) + up * n;
          z = replaced(z, known, paint, sigma(i + 1), noise);
        }
        if (round == settings.resamples) break;
        const double back = std::sqrt((sigma(first) - sigma(last)) * (sigma(first) + sigma(last)));
        z = z + back * noise.draw(z);
      }
      first = last;
    }
    return paint * D(z, sigma(N - 1)) + (1 - paint) * known;
  };
}

}  // namespace edmund
