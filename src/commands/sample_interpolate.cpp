// sample --interpolate: images on the arc between the noise of two image numbers. Its ends are the
// images that `sample --numbers A,B` draws.

#include "edmund/core/consecutive.h"
#include "edmund/core/log.h"
#include "edmund/diffusion/interpolated_noise.h"
#include "edmund/generation/image_generator.h"
#include "sample_pictures.h"

#include <algorithm>

namespace edmund::sampling_modes {

ExitCode interpolate(const Flags& flags) {
  const std::vector<std::int64_t>& given = flags.interpolate;
  require(given.size() == 2 || given.size() == 3, "--interpolate: expected A,B or A,B,n, found {} integers",
          given.size());
  const std::int64_t from = given[0], to = given[1], count = given.size() > 2 ? given[2] : 9;
  require(count >= 2 && count <= 10'000, "--interpolate: expected 2 to 10000 images, found {}", count);
  const Task task = begin(flags);
  const Experiment& experiment = task.experiment();
  const ModelShape& shape = experiment.shape;
  // A class cannot be half of another, so that all images have the first one's.
  const std::vector<std::int64_t> first(static_cast<std::size_t>(count), from);
  const Tensor labels = labels_of(flags, shape, class_labels(shape, experiment.sampling.classes, first), count);
  if (flags.label.empty() && shape.num_classes > 0)
    log::info("all images are of class {}, that of number {}; --class chooses another", labels[0].item<std::int64_t>(),
              from);

  const auto fraction = [count](std::int64_t i) { return static_cast<double>(i) / static_cast<double>(count - 1); };
  const NoiseOf noise = [&](std::int64_t start, std::int64_t size) {
    std::vector<double> fractions;
    for (std::int64_t i = start; i < start + size; ++i) fractions.push_back(fraction(i));
    return std::make_unique<InterpolatedNoise>(task.seed, from, to, fractions, at::kDouble, at::kCPU);
  };
  const nlohmann::ordered_json settings = {
      {"from", from}, {"to", to}, {"images", count}, {"class", labels.defined() ? labels[0].item<std::int64_t>() : -1}};
  Pictures pictures(flags, task, "interpolation", "interpolation.json", settings, consecutive(0, count));
  if (flags.dry_run) return ExitCode::kDone;
  Progress progress("interpolating", "images", count, pictures.there());
  ImageGenerator(experiment.model, experiment.sampling, shape).draw(count, labels, noise, pictures.kept(progress));
  progress.finish();

  pictures.write_sheet(pictures.first(std::min<std::int64_t>(count, 400)), count);
  return pictures.report({}, format("{} images from number {} to {} in {}; all in one row: {}", count, from, to,
                                    pictures.folder().string(), pictures.sheet().string()));
}

}  // namespace edmund::sampling_modes
