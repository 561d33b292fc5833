// sample: images from a trained model, one PNG each and a sheet of all.
//
//   edmund sample RUN|CHECKPOINT [sampling.sampler.type=ddim …] [--out DIR]
//       [--images N | --numbers 0-63,100] [--class K] [--raw] [--json]
//     --invert IMAGES [--steps 16,32,64] [--keep-clip]
//         image → latent → image by the ODE, and the error of the round trip
//     --interpolate A,B[,n]
//         n images on the way from image number A to image number B
//     --inpaint IMAGE --mask MASK [--resamples R] [--jump J]
//         fills in what is white in the mask (RePaint)
//
// Image number i is a function of (config, seed, i): the same picture in any batch, in any order.

#include "sample.h"

#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/generation/image_generator.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace edmund {
namespace sampling_modes {

ExitCode draw(const Flags& flags) {
  const Task task = begin(flags, "samples");
  const Experiment& experiment = task.experiment();
  const std::vector<std::int64_t> numbers = numbers_of(flags, 64);
  const auto count = static_cast<std::int64_t>(numbers.size());
  const Tensor labels =
      labels_of(flags, experiment.shape, class_labels(experiment.shape, experiment.sampling.classes, numbers), count);
  log::info("{} images by {} from {}", count, experiment.sampling.name, task.trained.checkpoint.string());
  Progress progress("sampling", "images", count);
  const Generated drawn =
      ImageGenerator(experiment.model, experiment.sampling, experiment.shape)
          .draw(numbers, labels, task.seed, {.progress = [&](std::int64_t done) { progress.update(done); }});
  progress.finish();

  write_images(task.out, numbers, drawn.images);
  const auto shown = std::min<std::int64_t>(count, 400);
  const auto columns = experiment.shape.num_classes > 0 && experiment.shape.num_classes <= 20
                           ? experiment.shape.num_classes
                           : static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(shown))));
  write_sheet(task.out / "sheet.png", drawn.images.narrow(0, 0, shown), columns);
  nlohmann::ordered_json facts = {{"images", count},
                                  {"evaluations_per_image", drawn.evaluations},
                                  {"images_per_second", static_cast<double>(count) / drawn.seconds}};
  if (labels.defined())
    facts["labels"] =
        std::vector<std::int64_t>(labels.data_ptr<std::int64_t>(), labels.data_ptr<std::int64_t>() + count);
  return report(flags, task, "samples.json", facts,
                format("{} images in {} ({} evaluations each); all on one sheet: {}", count, task.out.string(),
                       drawn.evaluations, (task.out / "sheet.png").string()));
}

}  // namespace sampling_modes

Action make_sample(CLI::App& arguments) {
  namespace modes = sampling_modes;
  const auto flags = std::make_shared<modes::Flags>();
  add_target(arguments, flags->target, "RUN or RUN/checkpoints/N");
  arguments.add_option("--out", flags->out, "folder for the images (default: RUN/samples, or RUN/<mode>)");
  arguments.add_option("--images", flags->images, "how many (default 64, 8 with --inpaint): numbers 0 … N-1");
  arguments.add_option("--numbers", flags->numbers, "which image numbers, e.g. 0-63,100");
  arguments.add_option("--seed", flags->seed, "random seed (default: the config's)");
  arguments.add_option("--class", flags->label, "class of all images (default: number mod classes)");
  arguments.add_flag("--raw", flags->raw, "the network's own weights in place of their EMA");
  arguments.add_flag("--json", flags->json, "facts as JSON");

  auto* invert = arguments.add_option("--invert", flags->invert, "folder of images (or one): to latents and back");
  arguments
      .add_option("--steps", flags->steps,
                  "grid sizes to invert with (default: the config's, twice and four times that)")
      ->needs(invert);
  arguments.add_flag("--keep-clip", flags->keep_clip, "invert with the config's clip or threshold (default: without)")
      ->needs(invert);
  auto* interpolate =
      arguments
          .add_option("--interpolate", flags->interpolate, "A,B[,n]: n images (default 9) between the numbers A and B")
          ->excludes(invert);
  auto* inpaint =
      arguments.add_option("--inpaint", flags->inpaint, "image to fill in")->excludes(invert)->excludes(interpolate);
  auto* mask =
      arguments.add_option("--mask", flags->mask, "image of the same size: white where to paint")->needs(inpaint);
  inpaint->needs(mask);
  arguments
      .add_option("--resamples", flags->resamples,
                  "times each piece of the grid is repeated (default 10; 1: replacement)")
      ->needs(inpaint);
  arguments.add_option("--jump", flags->jump, "grid steps of such a piece (default 1)")->needs(inpaint);
  arguments.add_option("--eta", flags->eta, "noise of inpainting's steps: 1 ancestral (default) … 0 DDIM")
      ->needs(inpaint);
  return [=] {
    return !flags->invert.empty()        ? modes::invert(*flags)
           : !flags->interpolate.empty() ? modes::interpolate(*flags)
           : !flags->inpaint.empty()     ? modes::inpaint(*flags)
                                         : modes::draw(*flags);
  };
}

}  // namespace edmund
