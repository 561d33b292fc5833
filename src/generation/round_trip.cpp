#include "edmund/generation/round_trip.h"

#include "edmund/core/stop.h"
#include "edmund/ops/pixels.h"
#include "edmund/samplers/inversion.h"

#include <algorithm>
#include <ATen/ops/cat.h>
#include <c10/core/InferenceMode.h>
#include <vector>

namespace edmund {

RoundTrip round_trip(const ImageGenerator& generator, const Tensor& images, const Tensor& labels) {
  const c10::InferenceMode inference;
  const Sampling& sampling = generator.sampling();
  const NoiseSchedule& schedule = *sampling.schedule;
  const double t = sampling.grid.t.front(), unit = schedule.scale(t) * schedule.sigma(t);
  const std::int64_t count = images.size(0);
  std::vector<Tensor> latents, back;
  RoundTrip out;
  for (std::int64_t first = 0; first < count; first += sampling.batch_size) {
    StopRequest::check();
    const std::int64_t size = std::min(sampling.batch_size, count - first);
    const auto evaluations = std::make_shared<std::int64_t>(0);
    const Denoiser D = generator.denoiser(labels.defined() ? labels.narrow(0, first, size) : Tensor(), evaluations);
    const Tensor image = to_float(images.narrow(0, first, size)).to(at::kDouble);
    const Tensor x = inverted(D, schedule, sampling.grid, sampling.sampler, image);
    latents.push_back(x / unit);
    back.push_back(reconstructed(D, schedule, sampling.grid, sampling.sampler, x));
    out.evaluations = *evaluations;
  }
  out.latents = at::cat(latents);
  out.images = at::cat(back);
  return out;
}

}  // namespace edmund
