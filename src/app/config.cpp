#include "edmund/app/config.h"

#include "edmund/app/guide.h"
#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/metrics.h"
#include "edmund/ops/device.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace edmund {
namespace {

// Factories that look at files throw at the first mistake they see; at this point it is one mistake among others.
template <typename Make>
auto recorded_as(Options& options, std::string_view key, const Make& make) -> decltype(make()) {
  try {
    return make();
  } catch (const Error& error) {
    options.reject(key, error.what());
    return {};
  }
}

ModelShape read_shape(Options& root, const Dataset* data) {
  const DatasetInfo info = data ? data->info() : DatasetInfo{};
  Options image = root.child("image");
  ModelShape shape;
  shape.image = {.channels = image.integer("channels", data ? info.channels : 1, between(1, 4096)),
                 .height = image.integer("height", data ? info.height : 8, between(1, 65536)),
                 .width = image.integer("width", data ? info.width : 8, between(1, 65536))};
  shape.num_classes = image.integer("classes", info.num_classes, between(0, 1 << 24));
  shape.class_names = image.texts("class_names", info.class_names);
  if (data) {
    const bool same =
        shape.image.channels == info.channels && shape.image.height == info.height && shape.image.width == info.width;
    image.check(same, "",
                "images are {}x{}x{} here, but {}x{}x{} (C, H, W) in the data {}; set data.size and data.channels, or "
                "leave `image` out",
                shape.image.channels, shape.image.height, shape.image.width, info.channels, info.height, info.width,
                info.name);
    image.check(shape.num_classes == 0 || shape.num_classes == info.num_classes, "classes",
                "the data {} has {} classes, found {} (0: unconditional)", info.name, info.num_classes,
                shape.num_classes);
  }
  return shape;
}

TrainingSettings read_training(Options training) {
  TrainingSettings settings = training_settings(training);
  training.check(settings.images > 0, "images", "expected the length of the run in images, above 0, found {}",
                 settings.images);
  return settings;
}

Intervals read_intervals(Options training, const TrainingSettings& settings) {
  const auto tenth = std::max<std::int64_t>(settings.images / 10, 1);
  return {.log = training.integer("log_every", std::max<std::int64_t>(settings.images / 200, 1), at_least(1)),
          .checkpoint = training.integer("checkpoint_every", tenth, at_least(1)),
          .samples = training.integer("samples_every", tenth, at_least(0)),
          .keep = training.integer("keep_checkpoints", 2, at_least(0)),
          .sample_rows = training.integer("sample_rows", 4, between(1, 64))};
}

// Where networks run, how precisely and whether as recorded work: ops/device.h. A config does not depend on the machine, so `auto` stays in it.
void choose_device(Options& root, const std::string& kernels) {
  const std::string device = root.text("device", "auto");
  ops::set_device(recorded_as(root, "device", [&]() -> std::optional<at::Device> {
                    return ops::find_device(device);
                  }).value_or(at::kCPU));
  const std::string precision = root.choice("precision", "fp32", {"fp32", "tf32", "bf16", "fp16"});
  ops::set_precision(precision == "bf16"   ? ops::Precision::kBf16
                     : precision == "fp16" ? ops::Precision::kFp16
                     : precision == "tf32" ? ops::Precision::kTf32
                                           : ops::Precision::kFp32);
  const bool half = precision == "bf16" || precision == "fp16";
  root.check(!half || kernels == "fast" || !ops::device().is_cuda(), "precision",
             "{} on a GPU needs kernels: fast; the reference computes in the weights' own type", precision);
  ops::set_graphs(root.choice("graphs", "on", {"on", "off"}) == "on" ? ops::Graphs::kOn : ops::Graphs::kOff);
}

void check_metric(Options& evaluation, const std::string& metric) {
  const auto known = names(metric_table());
  evaluation.check(std::find(known.begin(), known.end(), metric) != known.end(), "metrics", "unknown metric '{}'{}",
                   metric, suggestion(metric, known));
}

}  // namespace

Experiment build(Options options, Needs needs) {
  Options root = options;
  const std::string name = root.text("name", "run");
  root.check(!name.empty() && name.find('/') == std::string::npos, "name", "expected a name without '/', found '{}'",
             name);
  const auto seed = static_cast<std::uint64_t>(root.integer("seed", 0, at_least(0)));
  const std::string kernels = root.choice("kernels", "fast", {"fast", "reference"});
  ops::set_kernels(kernels == "fast" ? ops::Kernels::kFast : ops::Kernels::kReference);
  const std::string conv = root.choice("conv", "winograd", {"winograd", "exact"});
  ops::set_conv(conv == "winograd" ? ops::Conv::kWinograd : ops::Conv::kExact);

  choose_device(root, kernels);

  std::shared_ptr<Dataset> data;
  if (needs == Needs::kData) {
    Options section = root.child("data");
    data = recorded_as(root, "data", [&]() -> std::shared_ptr<Dataset> { return make_dataset(section); });
  } else {
    root.defer("data");
  }
  const ModelShape shape = read_shape(root, data.get());

  Options network_options = root.child("network");
  const auto network = recorded_as(root, "network", [&]() -> std::shared_ptr<Network> {
    return make_network(network_options, {.image = shape.image, .num_classes = shape.num_classes});
  });
  Options preconditioning_options = root.child("preconditioning");
  const Preconditioning preconditioning = make_preconditioning(preconditioning_options);
  Options weight_options = root.child("loss_weight");
  const LossWeight weight = make_loss_weight(weight_options);
  Options level_options = root.child("noise_levels");
  const NoiseLevels levels = make_noise_levels(level_options);

  Options training_options = root.child("training");
  const TrainingSettings training = read_training(training_options);
  const ObjectiveSettings objective_choices = objective_settings(training_options);
  const Intervals intervals = read_intervals(training_options, training);
  Options ema_options = training_options.child("ema");
  const EmaDecay ema = make_ema(ema_options);
  Options objective_options = root.child("objective");
  const Objective objective = make_objective(objective_options, {.settings = objective_choices,
                                                                 .levels = levels,
                                                                 .batch_size = training.batch_size,
                                                                 .num_classes = shape.num_classes,
                                                                 .seed = seed});
  const LoaderSettings loader{.batch_size = training.batch_size,
                              .threads = training_options.integer("loader_threads", 1, between(1, 256)),
                              .seed = seed,
                              .flip = training_options.flag("flip", false)};

  Options sampling_options = root.child("sampling");
  Sampling sampling = make_sampling(sampling_options, preconditioning);
  check_guidance(sampling_options, sampling, shape, objective_choices.label_dropout);
  Options evaluation = root.child("evaluation");
  const auto images = evaluation.integer("images", 1000, between(2, 1e9));
  const auto evaluation_seed = static_cast<std::uint64_t>(evaluation.integer("seed", 0, at_least(0)));
  const auto metrics = evaluation.texts("metrics", {"frechet", "kid"});
  for (const auto& metric : metrics) check_metric(evaluation, metric);
  const std::string reference = evaluation.text("reference", "");
  // Extractors learn from the data, so `evaluate` makes them: until then their keys wait.
  evaluation.defer("features");
  evaluation.defer("held_out");

  root.finish();
  network->initialize(seed);
  network->to(ops::device());
  return {.options = options,
          .name = name,
          .seed = seed,
          .data = data,
          .shape = shape,
          .model = DenoisingModel(network, preconditioning, weight),
          .levels = levels,
          .objective = objective,
          .objective_settings = objective_choices,
          .ema = ema,
          .training = training,
          .loader = loader,
          .intervals = intervals,
          .sampling = std::move(sampling),
          .evaluation_images = images,
          .evaluation_seed = evaluation_seed,
          .metrics = metrics,
          .reference = reference};
}

DenoisingModel model_like(const Experiment& experiment) {
  Options root = experiment.options;
  Options network = root.child("network"), preconditioning = root.child("preconditioning"),
          weight = root.child("loss_weight");
  const auto made =
      make_network(network, {.image = experiment.shape.image, .num_classes = experiment.shape.num_classes});
  made->to(device_of(experiment.model.network()));
  return {made, make_preconditioning(preconditioning), make_loss_weight(weight)};
}

}  // namespace edmund
