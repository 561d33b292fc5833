// likelihood: bits a dimension of held-out images under the model, by its probability-flow ODE.
//
//   edmund likelihood RUN|CHECKPOINT [sampling.schedule.type=vp sampling.grid.steps=64 …]
//       [--images N] [--probes K] [--exact] [--probe gaussian] [--tolerance E] [--density]
//       [--train] [--seed S] [--raw | --ema W] [--json]
//
// Heun steps on the config's grid, or with --tolerance an adaptive solver, one image at a time, so
// that no value depends on the batch. The number is that of the plain model: guidance, clip and
// threshold have no part in it. Classes are those of the data: p(image | class). Batches are kept
// as they come: the same command goes on where it was interrupted.

#include "edmund/samplers/likelihood.h"

#include "adapter_flag.h"
#include "edmund/app/evaluation.h"
#include "edmund/app/identity.h"
#include "edmund/app/run.h"
#include "edmund/commands/command.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/kept_work.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/core/stopwatch.h"
#include "edmund/core/text.h"
#include "edmund/io/image_io.h"
#include "edmund/io/tensor_file.h"
#include "edmund/ops/ops.h"
#include "edmund/ops/pixels.h"
#include "weights.h"

#include <algorithm>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

namespace edmund {
namespace {

using nlohmann::ordered_json;

struct LikelihoodFlags {
  Target target;
  std::int64_t images = 64, probes = 1;
  std::optional<std::int64_t> seed;
  double tolerance = 0;
  std::string probe = "rademacher";
  bool exact = false, density = false, train = false, json = false;
  WeightsFlags weights;
};

// Images with the numbers 0 … N-1 that all random draws hang on.
struct Images {
  Batch batch;
  std::string from;
};

Images read_images(Experiment& experiment, const LikelihoodFlags& flags, std::uint64_t seed) {
  std::shared_ptr<Dataset> data = experiment.data;
  if (!flags.train) {
    data = held_out_data(experiment);
    require(data != nullptr,
            "the config names no images that training did not see: add evaluation.held_out.type=…, or ask for the "
            "training images with --train");
    experiment.config.options.finish();
  }
  const DatasetInfo info = data->info();
  const ModelShape& shape = experiment.shape;
  require_model_size(info, shape, info.name);
  require(!info.floats || flags.density,
          "{}: its images are real numbers, and bits/dim are of levels; --density gives their log density", info.name);
  require(shape.num_classes == 0 || info.num_classes > 0,
          "{}: its images have no classes, and the model is of p(image | class), {} of them", info.name,
          shape.num_classes);
  return {.batch = read_all(*data, flags.images, seed), .from = info.name};
}

LikelihoodSettings settings_of(const LikelihoodFlags& flags) {
  require(flags.tolerance >= 0 && flags.tolerance < 1, "--tolerance: expected a number in (0, 1), found {}",
          flags.tolerance);
  require(flags.probe == "rademacher" || flags.probe == "gaussian",
          "--probe: expected rademacher or gaussian, found {}", flags.probe);
  LikelihoodSettings settings;
  settings.trace = flags.exact ? Trace::kExact : flags.probe == "gaussian" ? Trace::kGaussian : Trace::kRademacher;
  settings.probes = flags.probes;
  if (flags.tolerance > 0) settings.adaptive = Tolerance{.relative = flags.tolerance, .absolute = flags.tolerance};
  return settings;
}

struct Solved {
  Tensor log_density, probe_error;  // [N]
  Tensor evaluations;               // double [N]
  std::int64_t gradients = 0;
  double seconds = 0;
};

// Batch by batch, each kept until all are done.
Solved solve(const Experiment& experiment, const Batch& batch, const LikelihoodSettings& settings, bool density,
             std::uint64_t seed, KeptWork& kept) {
  const Stopwatch watch;
  const std::int64_t N = batch.images.size(0), step = settings.adaptive ? 1 : experiment.sampling.batch_size;
  Solved out;
  std::vector<Tensor> values, errors, evaluations;
  Progress progress("likelihood", "images", N);
  for (std::int64_t first = 0; first < N; first += step) {
    const std::int64_t size = std::min(step, N - first);
    const std::string bytes = kept.piece(format("images from {}", first), [&] {
      const auto numbers = consecutive(first, size);
      const Tensor levels = batch.images.narrow(0, first, size);
      const Tensor x0 = density ? to_float(levels).to(at::kDouble) : dequantized(levels, seed, numbers);
      const Tensor labels = experiment.shape.num_classes > 0 ? batch.labels.narrow(0, first, size) : Tensor();
      PhiloxNoise probes(seed, numbers, at::kDouble, at::kCPU, Stream::kProbe);
      const Likelihood found =
          log_likelihood(differentiable(experiment.model, {.labels = labels}), *experiment.sampling.schedule,
                         experiment.sampling.grid, x0, probes, settings);
      return tensor_bytes(
          {{"log_density", found.log_density}, {"probe_error", found.probe_error}},
          {{"evaluations", std::to_string(found.evaluations)}, {"gradients", std::to_string(found.gradients)}});
    });
    const TensorFile found = parse_tensors(bytes, "likelihood");
    const auto counted = [&](const char* name) { return parse_integer(found.metadata.at(name)).value(); };
    values.push_back(found.at("log_density"));
    errors.push_back(found.at("probe_error"));
    evaluations.push_back(at::full({size}, static_cast<double>(counted("evaluations")), at::kDouble));
    out.gradients = counted("gradients");
    progress.update(first + size);
  }
  progress.finish();
  out.log_density = at::cat(values);
  out.probe_error = at::cat(errors);
  out.evaluations = at::cat(evaluations);
  out.seconds = watch.seconds();
  return out;
}

// All that the log-densities depend on.
std::string identity_of(const TrainedModel& trained, const LikelihoodFlags& flags, std::uint64_t seed,
                        const Batch& batch) {
  std::string text = format("{} {} {} {} {} {} {} {}", identity_of(trained), trained.weights == Weights::kRaw, seed,
                            flags.probes, flags.probe, flags.exact, flags.density, flags.tolerance);
  for (const Tensor& tensor : {batch.images, batch.labels})
    if (tensor.defined()) text += checksum(tensor_bytes({{"tensor", tensor}}));
  return text;
}

// Null where there is no number (the error of one image or of one probe).
ordered_json number_or_null(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(); }

ordered_json facts_of(const Experiment& experiment, const LikelihoodFlags& flags, const LikelihoodSettings& settings,
                      const Solved& solved) {
  const ImageShape& shape = experiment.shape.image;
  const std::int64_t n = shape.channels * shape.height * shape.width, N = solved.log_density.numel();
  const Tensor bits = bits_per_dimension(solved.log_density, n, flags.density ? 0.0 : kLevelBits);
  const double to_bits = 1 / (static_cast<double>(n) * std::log(2.0));
  const TimeGrid& grid = experiment.sampling.grid;
  const NoiseSchedule& schedule = *experiment.sampling.schedule;
  const std::string about = experiment.shape.num_classes > 0 ? " given the class" : "";
  ordered_json out = {
      {"bits_per_dim", bits.mean().item<double>()},
      {"error_over_images", number_or_null(N > 1 ? bits.std().item<double>() / std::sqrt(N) : NAN)},
      {"error_over_probes",
       number_or_null(to_bits * solved.probe_error.square().sum().sqrt().item<double>() / static_cast<double>(N))},
      {"kind", flags.density ? "density of x in [-1, 1]" + about +
                                   " by the probability-flow ODE, not dequantized: not "
                                   "comparable with bits of 8-bit images"
                             : "8-bit images" + about +
                                   ", uniformly dequantized, by the probability-flow ODE: an "
                                   "estimate, in the mean above the bits of the discrete images"},
      {"trace", settings.trace == Trace::kExact
                    ? std::string("exact")
                    : format("Hutchinson, {} {} probe{} an image, fixed for the solve", settings.probes, flags.probe,
                             settings.probes == 1 ? "" : "s")},
      {"solver", settings.adaptive ? format("rk45 (Dormand-Prince), tolerance {}, one image at a time", flags.tolerance)
                                   : format("heun, {} steps on the grid", grid.t.size() - 1)},
      {"sampling", experiment.sampling.name},
      {"sigma", {schedule.sigma(grid.t.back()), schedule.sigma(grid.t.front())}},
      {"prior_std", schedule.scale(grid.t.front()) * schedule.sigma(grid.t.front())},
      {"images", N},
      {"dimensions", n},
      {"evaluations_per_image", solved.evaluations.mean().item<double>()},
      {"gradients_per_evaluation", solved.gradients},
      {"seconds", solved.seconds}};
  for (std::int64_t i = 0; i < N; ++i) out["bits_of_image"].push_back(bits[i].item<double>());
  return out;
}

ExitCode likelihood(const LikelihoodFlags& flags) {
  const LikelihoodSettings settings = settings_of(flags);
  TrainedModel trained = load_model(flags.target.path, flags.target.overrides,
                                    flags.train ? Needs::kData : Needs::kModel, flags.weights.weights());
  Experiment& experiment = trained.experiment;
  // Winograd's rounding would add up over the trace's integral
  ops::set_conv_algorithm(ops::ConvAlgorithm::kDirect);
  const auto seed = flags.seed ? static_cast<std::uint64_t>(*flags.seed) : experiment.config.evaluation.seed;
  const Sampling& sampling = experiment.sampling;
  if (sampling.guidance != 1.0 || sampling.clip || sampling.threshold > 0)
    log::warn("guidance, clip and threshold are left out: the likelihood is that of the model itself");
  const Images images = read_images(experiment, flags, seed);
  log::info("{} images of {}", images.batch.images.size(0), images.from);
  KeptWork kept(trained.run.path, "likelihood", identity_of(trained, flags, seed, images.batch));
  const Solved solved = solve(experiment, images.batch, settings, flags.density, seed, kept);
  ordered_json facts = {{"checkpoint", trained.checkpoint.string()},
                        {"trained_images", trained.images},
                        {"weights", trained.weights.name()},
                        {"seed", seed},
                        {"data", images.from}};
  facts.update(facts_of(experiment, flags, settings, solved));
  const std::filesystem::path file = trained.run.path / "likelihood.json";
  write_file(file, json_text(facts, 2) + "\n");
  kept.finish();
  if (flags.json) {
    std::cout << json_text(facts, 2) << '\n';
    return ExitCode::kDone;
  }
  const auto shown = [&](const char* key) {
    return facts[key].is_null() ? std::string("unknown")
                                : format("{}", std::round(facts[key].get<double>() * 1e4) / 1e4);
  };
  const std::string by_probes =
      facts["error_over_probes"].is_null() ? "" : format(", {} of it by probes", shown("error_over_probes"));
  std::cout << format("{} bits/dim over {} images of {} (standard error {} over images{})\n", shown("bits_per_dim"),
                      facts["images"].get<std::int64_t>(), images.from, shown("error_over_images"), by_probes);
  for (const char* key : {"kind", "trace", "solver"})
    std::cout << format("  {}: {}\n", key, facts[key].get<std::string>());
  std::cout << format("  {} evaluations an image, each with {} backward; σ from {} to {}; all values: {}\n",
                      shown("evaluations_per_image"), solved.gradients, short_number(facts["sigma"][0].get<double>()),
                      short_number(facts["sigma"][1].get<double>()), file.string());
  return ExitCode::kDone;
}

}  // namespace

Action make_likelihood(CLI::App& arguments) {
  const auto flags = std::make_shared<LikelihoodFlags>();
  add_target(arguments, flags->target, "RUN or RUN/checkpoints/N");
  add_adapters(arguments, flags->target);
  add_integer(arguments, "--images", flags->images, {1, 1'000'000'000}, "how many, chosen by seed (default 64)");
  auto* probes = add_integer(arguments, "--probes", flags->probes, {1, 10'000},
                             "random directions of the trace an image (default 1); 2 give an error");
  auto* probe = arguments.add_option("--probe", flags->probe, "their law: rademacher (default) or gaussian");
  arguments.add_flag("--exact", flags->exact, "exact trace: one backward pass a pixel, for small images")
      ->excludes(probes)
      ->excludes(probe);
  arguments.add_option("--tolerance", flags->tolerance, "adaptive solver (e.g. 1e-5) in place of Heun on the grid");
  arguments.add_flag("--density", flags->density, "density of the values in [-1, 1] as they are, not dequantized");
  arguments.add_flag("--train", flags->train, "training images in place of evaluation.held_out");
  add_integer(arguments, "--seed", flags->seed, {}, "of images, dequantization and probes (default: evaluation.seed)");
  add_weights(arguments, flags->weights);
  arguments.add_flag("--json", flags->json, "facts as JSON");
  return [=] { return likelihood(*flags); };
}

}  // namespace edmund
