// sample --inpaint: fills in part of an image by RePaint, on the config's schedule and grid. What
// the config says of the sampler has no part in it: the steps are ancestral (or DDIM's) ones.

#include "edmund/core/files.h"
#include "edmund/core/progress.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/image_io.h"
#include "edmund/io/tensor_file.h"
#include "edmund/ops/pixels.h"
#include "edmund/samplers/repaint.h"
#include "sample_pictures.h"

#include <algorithm>
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
  require(flags.eta >= 0 && flags.eta <= 1, "--eta: expected a number in [0, 1], found {}", flags.eta);
  const Task task = begin(flags);
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
  // the image and mask themselves, whatever their files are called
  const nlohmann::ordered_json settings = {{"image", flags.inpaint},
                                           {"mask", flags.mask},
                                           {"contents", checksum(tensor_bytes({{"image", image}, {"mask", mask}}))},
                                           {"resamples", flags.resamples},
                                           {"jump", flags.jump},
                                           {"eta", flags.eta},
                                           {"class", class_rule(flags, experiment)}};
  Pictures pictures(flags, task, "inpainting", "inpainting.json", settings, numbers);
  if (flags.dry_run) return ExitCode::kDone;
  Progress progress("inpainting", "images", count, pictures.there());
  ImageGenerator(experiment.model, sampling, experiment.shape)
      .draw(numbers, labels, task.seed, pictures.kept(progress));
  progress.finish();

  const Tensor hole = at::where(mask, at::full({}, 128, at::kByte), image);
  const auto shown = std::min<std::int64_t>(count, 400);
  pictures.write_sheet(at::cat({at::stack({image, hole}), pictures.first(shown)}), shown + 2);
  return pictures.report({{"painted_share", mask.to(at::kDouble).mean().item<double>()}, {"images", count}},
                         format("{} fillings in {} ({} evaluations each); image, mask and all of them: {}", count,
                                pictures.folder().string(), pictures.evaluations(), pictures.sheet().string()));
}

}  // namespace edmund::sampling_modes
