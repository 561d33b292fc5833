// sample --invert: images to latents by the ODE run backwards on the config's clock with its
// sampler, and back to images; the error of the round trip for several numbers of steps. The
// sampler stops at the grid's last noise level both ways (final: none), where the image stands for
// the state.

#include "edmund/app/evaluation.h"
#include "edmund/app/guide.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/generation/round_trip.h"
#include "edmund/io/image_io.h"
#include "edmund/io/tensor_file.h"
#include "edmund/ops/pixels.h"
#include "sample.h"

#include <algorithm>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>
#include <cmath>

namespace edmund::sampling_modes {
namespace {

// All images of a folder, or the one of a file, at most `limit`.
Batch images_at(const std::filesystem::path& path, const ModelShape& shape, std::int64_t limit) {
  if (!std::filesystem::is_directory(path)) return {.images = image_like(path, shape).unsqueeze(0)};
  Options options;
  options.set("type", "folder", "--invert");
  options.set("root", path.string(), "--invert");
  const auto data = make_dataset(options);
  const DatasetInfo info = data->info();
  require_model_size(info, shape, path.string());
  Batch batch = read_all(*data, limit);
  if (info.num_classes != shape.num_classes) batch.labels = Tensor();
  return batch;
}

// The config's way of sampling with another number of steps, ending at the last grid time.
Sampling with_steps(const Experiment& experiment, std::int64_t steps) {
  Options root = options_again(
      experiment, std::vector<std::string>{format("sampling.grid.steps={}", steps), "sampling.sampler.final=none"});
  Options options = root.child("sampling");
  Sampling sampling = make_sampling(options, experiment.model.preconditioning(), load_guide);
  for (const auto& key : root.keys()) root.defer(key);
  root.finish();
  return sampling;
}

}  // namespace

ExitCode invert(const Flags& flags) {
  const Task task = begin(flags, "inversion");
  const Experiment& experiment = task.experiment();
  Batch batch = images_at(flags.invert, experiment.shape, flags.images.value_or(64));
  const std::int64_t count = batch.images.size(0);
  batch.labels = labels_of(flags, experiment.shape, batch.labels, count);
  require(experiment.shape.num_classes == 0 || batch.labels.defined(),
          "--invert: {} does not say which of the model's {} classes its images are of; name one with --class",
          flags.invert, experiment.shape.num_classes);
  const auto N = static_cast<std::int64_t>(experiment.sampling.grid.t.size());
  const std::vector<std::int64_t> all_steps =
      flags.steps.empty() ? std::vector{N, 2 * N, 4 * N} : integers_of("--steps", flags.steps, 1);
  require(std::all_of(all_steps.begin(), all_steps.end(), [](auto steps) { return steps >= 2 && steps <= 100'000; }),
          "--steps: expected numbers from 2 to 100000");
  const bool is_cut = experiment.sampling.clip || experiment.sampling.threshold > 0;

  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  std::string lines;
  RoundTrip last;
  const Tensor truth = to_float(batch.images).to(at::kDouble);
  Progress progress("inverting", "grids", static_cast<std::int64_t>(all_steps.size()));
  for (const std::int64_t steps : all_steps) {
    Sampling sampling = with_steps(experiment, steps);
    if (!flags.keep_clip) {
      sampling.clip.reset();
      sampling.threshold = 0;
    }
    last = round_trip(ImageGenerator(experiment.model, sampling, experiment.shape), batch.images, batch.labels);
    const Tensor square = (last.images - truth).square();
    const double error = std::sqrt(square.mean().item<double>()),
                 worst = std::sqrt(square.flatten(1).mean(1).max().item<double>());
    rows.push_back({{"steps", sampling.grid.t.size()},
                    {"evaluations_both_ways", last.evaluations},
                    {"rms_error", error},
                    {"worst_image", worst},
                    {"latent_std", last.latents.std().item<double>()}});
    lines += format("\n  {} steps, {} evaluations both ways: rms error {} (worst image {})", sampling.grid.t.size(),
                    last.evaluations, error, worst);
    progress.update(static_cast<std::int64_t>(rows.size()));
  }
  progress.finish();
  if (!flags.keep_clip)
    log::info("inverted without clip and threshold{}", is_cut ? "; --keep-clip leaves the config's in place" : "");

  const Tensor images = to_uint8(last.images);
  write_images(task.out, consecutive(0, count), images);
  const std::int64_t shown = std::min<std::int64_t>(count, 32);
  write_sheet(task.out / "sheet.png", at::cat({batch.images.narrow(0, 0, shown), images.narrow(0, 0, shown)}), shown);
  write_file(task.out / "latents.safetensors",
             tensor_bytes({{"latents", last.latents}}, {{"unit", "x/(s sigma) at the first grid time"}}));
  return report(flags, task, "inversion.json",
                {{"source", flags.invert},
                 {"images", count},
                 {"cut", flags.keep_clip && is_cut ? "as the config says" : "none: clip and threshold are off"},
                 {"round_trips", rows}},
                format("{} images to latents and back, in [-1, 1]:{}\nlatents and reconstructions (of {} steps): {}",
                       count, lines, rows.back()["steps"].get<std::int64_t>(), task.out.string()));
}

}  // namespace edmund::sampling_modes
