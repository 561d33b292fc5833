// sample --inpaint: fills in part of an image by RePaint, on the config's schedule and grid. What
// the config says of the sampler has no part in it: the steps are ancestral (or DDIM's) ones.

#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/image_io.h"
#include "edmund/ops/pixels.h"
#include "edmund/samplers/repaint.h"
#include "sample.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

namespace edmund::sampling_modes {
namespace {

// 1 where the mask is white, [1, H, W].
Tensor read_mask(const std::filesystem::path& file, const ModelShape& shape) {
  const Tensor image = read_image(file);
  require(image.size(1) == shape.image.height && image.size(2) == shape.image.width,
          "{}: the mask is {}x{}, the model's images are {}x{} (H, W)", file.string(), image.size(1), image.size(2),
          shape.image.height, shape.image.width);
  const Tensor mask = image.to(at::kDouble).mean(0, /*keepdim=*/true).ge(128);
  require(mask.any().item<bool>(), "{}: nothing to paint: the mask has no white pixel (128 or more)", file.string());
  return mask;
}

}  // namespace

ExitCode inpaint(const Flags& flags) {
  require(flags.resamples > 0 && flags.resamples <= 10'000, "--resamples: expected 1 to 10000, found {}",
          flags.resamples);
  require(flags.jump > 0 && flags.jump <= 10'000, "--jump: expected 1 to 10000, found {}", flags.jump);
  require(flags.eta >= 0 && flags.eta <= 1, "--eta: expected a number in [0, 1], found {}", flags.eta);
  const Task task = begin(flags, "inpainting");
  const Experiment& experiment = task.experiment();
  const Tensor image = image_like(flags.inpaint, experiment.shape), mask = read_mask(flags.mask, experiment.shape);
  const std::vector<std::int64_t> numbers = numbers_of(flags, 8);
  const auto count = static_cast<std::int64_t>(numbers.size());
  const Tensor labels =
      labels_of(flags, experiment.shape, class_labels(experiment.shape, experiment.sampling.classes, numbers), count);

  Sampling sampling = experiment.sampling;
  sampling.recordable = false;  // RePaint copies the image to where the state is
  sampling.sampler = repainted(to_float(image).unsqueeze(0), mask.unsqueeze(0).to(at::kDouble),
                               {.eta = flags.eta, .resamples = flags.resamples, .jump = flags.jump});
  Progress progress("inpainting", "images", count);
  const Generated drawn =
      ImageGenerator(experiment.model, sampling, experiment.shape)
          .draw(numbers, labels, task.seed, {.progress = [&](std::int64_t done) { progress.update(done); }});
  progress.finish();

  write_images(task.out, numbers, drawn.images);
  const Tensor hole = at::where(mask, at::full({}, 128, at::kByte), image);
  write_sheet(task.out / "sheet.png", at::cat({at::stack({image, hole}), drawn.images}), count + 2);
  return report(flags, task, "inpainting.json",
                {{"image", flags.inpaint},
                 {"mask", flags.mask},
                 {"painted_share", mask.to(at::kDouble).mean().item<double>()},
                 {"images", count},
                 {"resamples", flags.resamples},
                 {"jump", flags.jump},
                 {"eta", flags.eta},
                 {"evaluations_per_image", drawn.evaluations}},
                format("{} fillings in {} ({} evaluations each); image, mask and all of them: {}", count,
                       task.out.string(), drawn.evaluations, (task.out / "sheet.png").string()));
}

}  // namespace edmund::sampling_modes
