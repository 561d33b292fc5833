#include "training_draws.h"

#include "edmund/core/philox.h"
#include "edmund/ops/random.h"

#include <ATen/ops/empty.h>

namespace edmund {
namespace {

double unit_draw(const TrainingSettings& settings, Stream stream, std::int64_t position) {
  return open_unit(RandomKey{settings.seed, stream, static_cast<std::uint64_t>(position), 0}.words(0)[0]);
}

}  // namespace

Tensor dropped_labels(const TrainingSettings& settings, const std::vector<std::int64_t>& positions,
                      const Tensor& labels) {
  Tensor out = labels.to(at::kCPU, at::kLong, /*non_blocking=*/false, /*copy=*/true).contiguous();
  auto* label = out.data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < positions.size(); ++i)
    if (unit_draw(settings, Stream::kLabelDropout, positions[i]) < settings.label_dropout)
      label[i] = settings.num_classes;
  return out;
}

Tensor drawn_levels(const TrainingSettings& settings, const NoiseLevels& levels,
                    const std::vector<std::int64_t>& positions) {
  const auto B = static_cast<std::int64_t>(positions.size());
  Tensor sigma = at::empty({B}, at::kDouble);
  for (std::int64_t i = 0; i < B; ++i) {
    const std::int64_t position = positions[static_cast<std::size_t>(i)];
    const double v = unit_draw(settings, Stream::kNoiseLevel, position);
    const double u = settings.stratified ? stratified(position, settings.batch_size, v) : v;
    sigma.data_ptr<double>()[i] = levels(u);
  }
  return sigma;
}

TrainingDraws make_draws(const TrainingSettings& settings, const NoiseLevels& levels,
                         const std::vector<std::int64_t>& positions, at::IntArrayRef image_shape, const Tensor& labels,
                         const at::TensorOptions& options) {
  const auto dtype = at::typeMetaToScalarType(options.dtype());
  TrainingDraws draws;
  draws.sigma = drawn_levels(settings, levels, positions).to(options.device(), dtype);
  draws.eps = ops::normal(settings.seed, Stream::kTrainingNoise, positions, 0, image_shape, dtype, options.device());
  if (settings.num_classes > 0) draws.labels = dropped_labels(settings, positions, labels).to(options.device());
  return draws;
}

}  // namespace edmund
