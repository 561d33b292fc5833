// sample: images from a trained model, one PNG each and a sheet of all.
//
//   edmund sample RUN|CHECKPOINT [sampling.sampler.type=ddim …] [--out DIR]
//       [--images N | --numbers 0-63,100] [--class NAME|K] [--raw | --ema W] [--json]
//       [--adapter FILE:STRENGTH …] [--overwrite] [--dry-run] [--raw-out FILE] [--npz FILE]
//       [--noise FILE] [--gif]
//     --invert IMAGES [--steps 16,32,64] [--keep-clip]
//         image → latent → image by the ODE, and the error of the round trip
//     --interpolate A,B[,n]
//         n images on the way from image number A to image number B
//     --inpaint IMAGE --mask MASK [--resamples R] [--jump J]
//         fills in what is white in the mask (RePaint)
//     --like PICTURE
//         draws a picture again that edmund sample wrote
//
// Image number i is a function of (config, seed, i): the same picture in any batch, in any order.
// Each batch is written when it is drawn; samples.json says from the start what the pictures are
// of.
// The same command goes on where it was interrupted, and adds what --images or --numbers asks for
// more; pictures of another drawing in --out are refused. A PNG carries how it was drawn (`edmund
// inspect PICTURE`).

#include "adapter_flag.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/core/text.h"
#include "edmund/generation/given_noise.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/tensor_file.h"
#include "edmund/networks/network.h"
#include "sample_pictures.h"
#include "sample_texts.h"
#include "sample_values.h"

#include <algorithm>
#include <ATen/ops/tensor.h>
#include <cmath>
#include <memory>

namespace edmund {
namespace sampling_modes {
namespace {

namespace fs = std::filesystem;

// What is drawn: numbers, and the noise and class of each.
struct Plan {
  std::vector<std::int64_t> numbers;
  Tensor labels, given;  // given: rows of noise from a file, undefined without
  NoiseOf noise;
};

Plan plan_of(const Flags& flags, const Task& task) {
  const Experiment& experiment = task.experiment();
  Plan out;
  if (!flags.noise.empty()) out.given = read_noise(flags.noise, experiment.shape);
  out.numbers = numbers_of(flags, out.given.defined() ? out.given.size(0) : 64);
  const std::int64_t last = *std::ranges::max_element(out.numbers);
  require(!out.given.defined() || last < out.given.size(0), "--noise: {} holds {} rows, none for image number {}",
          flags.noise, out.given.defined() ? out.given.size(0) : 0, last);
  out.labels =
      labels_of(flags, experiment.shape, class_labels(experiment.shape, experiment.sampling.classes, out.numbers),
                std::ssize(out.numbers));
  const at::Device device = device_of(experiment.model.network());
  out.noise = [numbers = out.numbers, given = out.given, seed = task.seed, device](
                  std::int64_t first, std::int64_t count) -> std::unique_ptr<NoiseSource> {
    const std::vector<std::int64_t> part(numbers.begin() + first, numbers.begin() + first + count);
    auto own = std::make_unique<PhiloxNoise>(seed, part, at::kDouble, device);
    if (!given.defined()) return own;
    return std::make_unique<FirstNoise>(given.index_select(0, at::tensor(part)).to(device), std::move(own));
  };
  return out;
}

// Draws what is not there yet. Returns the seconds that it took.
double draw_rest(ImageGenerator& generator, const Plan& plan, const Task& task, Pictures& pictures,
                 const RawValues& values) {
  Progress progress("sampling", "images", pictures.count(), pictures.there());
  DrawSettings settings = pictures.kept(progress);
  settings.values = values.wanted();
  settings.finished = [&, keep = settings.finished](std::int64_t first, const Generated& batch) {
    values.write(first, batch.values);
    keep(first, batch);
  };
  settings.skip = [&, there = settings.skip](std::int64_t first, std::int64_t count) {
    return there(first, count) && values.has(first, count);
  };
  const Generated drawn = plan.given.defined() ? generator.draw(pictures.count(), plan.labels, plan.noise, settings)
                                               : generator.draw(plan.numbers, plan.labels, task.seed, settings);
  progress.finish();
  return drawn.seconds;
}

void write_gif(ImageGenerator& generator, const Plan& plan, const fs::path& file) {
  const auto shown = std::min<std::int64_t>(std::ssize(plan.numbers), 16);
  const std::vector<std::int64_t> first(plan.numbers.begin(), plan.numbers.begin() + shown);
  write_file(file, trajectory_gif(generator, first, plan.labels.defined() ? plan.labels.narrow(0, 0, shown) : Tensor(),
                                  plan.noise));
}

// Before anything is drawn: where the pictures go beside their folder.
void check_files(const Flags& flags, const ImageShape& image) {
  const bool pictures = image.channels == 1 || image.channels == 3;
  if (!pictures && flags.raw_out.empty())
    log::warn("the model draws {} channels, which no PNG holds: pictures show some of them, --raw-out keeps all",
              image.channels);
  if (flags.npz.empty()) return;
  require(fs::path(flags.npz).extension() == ".npz", "--npz: expected a name that ends in .npz, found {}",
          in_quotes(flags.npz));
  require_file_like("--npz", flags.npz);
  require(pictures, "--npz: the model draws {} channels, which are no pictures; --raw-out keeps them", image.channels);
}

}  // namespace

ExitCode draw(const Flags& flags) {
  const Task task = begin(flags);
  require_like(flags, task);
  const Experiment& experiment = task.experiment();
  const Plan plan = plan_of(flags, task);
  check_files(flags, experiment.shape.image);
  const std::int64_t count = std::ssize(plan.numbers);
  nlohmann::ordered_json settings = {{"class", class_rule(flags, experiment)}};
  if (plan.given.defined()) settings["noise"] = checksum(tensor_bytes({{"noise", plan.given}}));
  Pictures pictures(flags, task, "samples", "samples.json", settings, plan.numbers);
  const RawValues values(flags.raw_out, pictures.folder(), pictures.fingerprint());
  const std::int64_t there = pictures.there();
  log::info("{} images by {} from {}{}", count, experiment.sampling.name, task.trained.checkpoint.string(),
            there > 0 ? format("; {} are there", there) : "");
  if (flags.dry_run) return ExitCode::kDone;
  ImageGenerator generator(experiment.model, experiment.sampling, experiment.shape);
  const double seconds = draw_rest(generator, plan, task, pictures, values);
  values.finish(count, experiment.sampling.batch_size, experiment.shape.image);
  if (!flags.npz.empty()) write_npz(flags.npz, pictures.folder(), plan.numbers, plan.labels);
  if (flags.gif) write_gif(generator, plan, pictures.folder() / "trajectory.gif");

  const auto shown = std::min<std::int64_t>(count, 400);
  const auto columns = experiment.shape.num_classes > 0 && experiment.shape.num_classes <= 20
                           ? experiment.shape.num_classes
                           : static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(shown))));
  pictures.write_sheet(pictures.first(shown), columns);
  nlohmann::ordered_json facts = {{"images", count}};
  if (pictures.drawn() > 0) facts["images_per_second"] = static_cast<double>(pictures.drawn()) / seconds;
  if (plan.labels.defined())
    facts["labels"] =
        std::vector<std::int64_t>(plan.labels.data_ptr<std::int64_t>(), plan.labels.data_ptr<std::int64_t>() + count);
  return pictures.report(facts, format("{} images in {} ({} evaluations each); all on one sheet: {}", count,
                                       pictures.folder().string(), pictures.evaluations(), pictures.sheet().string()));
}

}  // namespace sampling_modes

Action make_sample(CLI::App& arguments) {
  namespace modes = sampling_modes;
  const auto flags = std::make_shared<modes::Flags>();
  add_target(arguments, flags->target, "RUN or RUN/checkpoints/N");
  add_adapters(arguments, flags->target);
  arguments.add_option("--out", flags->out, "folder for the images (default: RUN/samples, or RUN/<mode>)");
  arguments.add_flag("--overwrite", flags->overwrite,
                     "delete the other drawing that --out holds, as its manifest lists it");
  auto* images = add_integer(arguments, "--images", flags->images, {1, 10'000'000},
                             "how many (default 64, 8 with --inpaint): numbers 0 … N-1");
  auto* numbers = add_integers(arguments, "--numbers", flags->numbers, {}, "INT-INT,…",
                               "which image numbers, e.g. 0-63,100", Runs::kTaken)
                      ->excludes(images);
  add_integer(arguments, "--seed", flags->seed, {}, "random seed (default: the config's)");
  arguments.add_option("--class", flags->label,
                       "class of all images, by name or number (default: as often as in the training data; "
                       "sampling.classes=even: evenly)");
  add_weights(arguments, flags->weights);
  arguments.add_flag("--json", flags->json, "facts as JSON");
  auto* raw = arguments.add_option("--raw-out", flags->raw_out,
                                   "also the values before rounding: FILE.safetensors or FILE.npz");
  auto* npz = arguments.add_option("--npz", flags->npz,
                                   "also all pictures as one file: arr_0 uint8 [N, H, W, C], classes in arr_1");
  auto* repeat = arguments.add_option("--like", flags->like,
                                      "a picture of `edmund sample`: draws it again, as the texts in it say");
  auto* noise = arguments.add_option("--noise", flags->noise,
                                     "starting noise from a .safetensors file [N, C, H, W], a row an image number");
  auto* gif =
      arguments.add_flag("--gif", flags->gif, "also trajectory.gif: how the first 16 images come out of the noise");
  arguments.add_flag("--dry-run", flags->dry_run, "check and construct everything, draw and write nothing");

  auto* invert = arguments.add_option("--invert", flags->invert, "folder of images (or one): to latents and back")
                     ->excludes(repeat)
                     ->excludes(numbers);
  add_integers(arguments, "--steps", flags->steps, {2, 100'000}, "INT,…",
               "grid sizes to invert with (default: the config's, twice and four times that)")
      ->needs(invert);
  arguments.add_flag("--keep-clip", flags->keep_clip, "invert with the config's clip or threshold (default: without)")
      ->needs(invert);
  auto* interpolate = add_integers(arguments, "--interpolate", flags->interpolate, {}, "INT,INT[,INT]",
                                   "A,B[,n]: n images (default 9) between the numbers A and B")
                          ->excludes(invert)
                          ->excludes(repeat)
                          ->excludes(images)
                          ->excludes(numbers);
  auto* inpaint = arguments.add_option("--inpaint", flags->inpaint, "image to fill in")
                      ->excludes(invert)
                      ->excludes(interpolate)
                      ->excludes(repeat);
  auto* mask =
      arguments.add_option("--mask", flags->mask, "image of the same size: white where to paint")->needs(inpaint);
  inpaint->needs(mask);
  for (auto* mode : {invert, interpolate, inpaint})
    for (auto* plain : {raw, npz, noise, gif}) mode->excludes(plain);
  add_integer(arguments, "--resamples", flags->resamples, {1, 10'000},
              "times each piece of the grid is repeated (default 10; 1: replacement)")
      ->needs(inpaint);
  add_integer(arguments, "--jump", flags->jump, {1, 10'000}, "grid steps of such a piece (default 1)")->needs(inpaint);
  arguments.add_option("--eta", flags->eta, "noise of inpainting's steps: 1 ancestral (default) … 0 DDIM")
      ->needs(inpaint);
  return [=] {
    return !flags->invert.empty()        ? modes::invert(*flags)
           : !flags->interpolate.empty() ? modes::interpolate(*flags)
           : !flags->inpaint.empty()     ? modes::inpaint(*flags)
           : !flags->like.empty()        ? modes::draw(modes::like(*flags))
                                         : modes::draw(*flags);
  };
}

}  // namespace edmund
