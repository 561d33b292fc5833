// sample --invert: images to latents by the ODE run backwards on the config's clock with its
// sampler, and back to images; the error of the round trip for several numbers of steps. The
// sampler stops at the grid's last noise level both ways (final: none), where the image stands for
// the state.

#include "edmund/app/evaluation.h"
#include "edmund/app/guide.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/kept_work.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/core/text.h"
#include "edmund/generation/round_trip.h"
#include "edmund/io/image_io.h"
#include "edmund/io/tensor_file.h"
#include "edmund/ops/pixels.h"
#include "sample_pictures.h"

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

// The round trip on a grid of that many levels, kept until all grids are done.
RoundTrip kept_round_trip(KeptWork& kept, const Sampling& sampling, const Experiment& experiment, const Batch& batch) {
  const std::string bytes = kept.piece(format("{} steps", sampling.grid.t.size()), [&] {
    const RoundTrip trip =
        round_trip(ImageGenerator(experiment.model, sampling, experiment.shape), batch.images, batch.labels);
    return tensor_bytes({{"latents", trip.latents}, {"images", trip.images}},
                        {{"evaluations", std::to_string(trip.evaluations)}});
  });
  const TensorFile found = parse_tensors(bytes, "inversion");
  return {.latents = found.at("latents"),
          .images = found.at("images"),
          .evaluations = parse_integer(found.metadata.at("evaluations")).value()};
}

nlohmann::ordered_json row_of(const Sampling& sampling, const RoundTrip& trip, const Tensor& truth) {
  const Tensor square = (trip.images - truth).square();
  return {{"steps", sampling.grid.t.size()},
          {"evaluations_both_ways", trip.evaluations},
          {"rms_error", std::sqrt(square.mean().item<double>())},
          {"worst_image", std::sqrt(square.flatten(1).mean(1).max().item<double>())},
          {"latent_std", trip.latents.std().item<double>()}};
}

}  // namespace

ExitCode invert(const Flags& flags) {
  const Task task = begin(flags);
  const Experiment& experiment = task.experiment();
  Batch batch = images_at(flags.invert, experiment.shape, flags.images.value_or(64));
  const std::int64_t count = batch.images.size(0);
  batch.labels = labels_of(flags, experiment.shape, batch.labels, count);
  require(experiment.shape.num_classes == 0 || batch.labels.defined(),
          "--invert: {} does not say which of the model's {} classes its images are of; name one with --class",
          flags.invert, experiment.shape.num_classes);
  const auto N = static_cast<std::int64_t>(experiment.sampling.grid.t.size());
  const std::vector<std::int64_t> all_steps = flags.steps.empty() ? std::vector{N, 2 * N, 4 * N} : flags.steps;
  const bool is_cut = experiment.sampling.clip || experiment.sampling.threshold > 0;

  const nlohmann::ordered_json settings = {
      {"source", flags.invert},
      {"contents", checksum(tensor_bytes({{"images", batch.images}}))},
      {"labels", batch.labels.defined() ? checksum(tensor_bytes({{"labels", batch.labels}})) : "none"},
      {"steps", all_steps},
      {"cut", flags.keep_clip && is_cut ? "as the config says" : "none: clip and threshold are off"}};
  Pictures pictures(flags, task, "inversion", "inversion.json", settings, consecutive(0, count));
  if (flags.dry_run) return ExitCode::kDone;
  KeptWork kept(pictures.folder(), "inversion", pictures.fingerprint());

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
    last = kept_round_trip(kept, sampling, experiment, batch);
    rows.push_back(row_of(sampling, last, truth));
    lines += format("\n  {} steps, {} evaluations both ways: rms error {} (worst image {})", sampling.grid.t.size(),
                    last.evaluations, rows.back()["rms_error"].get<double>(), rows.back()["worst_image"].get<double>());
    progress.update(static_cast<std::int64_t>(rows.size()));
  }
  progress.finish();
  if (!flags.keep_clip)
    log::info("inverted without clip and threshold{}", is_cut ? "; --keep-clip leaves the config's in place" : "");

  const Tensor images = to_uint8(last.images);
  pictures.write(0, {.images = images});
  const std::int64_t shown = std::min<std::int64_t>(count, 32);
  pictures.write_sheet(at::cat({batch.images.narrow(0, 0, shown), images.narrow(0, 0, shown)}), shown);
  write_file(pictures.folder() / "latents.safetensors",
             tensor_bytes({{"latents", last.latents}}, {{"unit", "x/(s sigma) at the first grid time"}}));
  const ExitCode code = pictures.report(
      {{"images", count}, {"round_trips", rows}},
      format("{} images to latents and back, in [-1, 1]:{}\nlatents and reconstructions (of {} steps): {}", count,
             lines, rows.back()["steps"].get<std::int64_t>(), pictures.folder().string()));
  kept.finish();
  return code;
}

}  // namespace edmund::sampling_modes
