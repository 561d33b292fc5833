#include "edmund/app/config.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/metrics.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace edmund {
namespace {

// A config does not depend on the machine, so `auto` stays in it.
at::Device read_device(Options& root) {
  const std::string device = root.text("device", "auto");
  try {
    return ops::find_device(device);
  } catch (const Error& error) {
    root.reject("device", error.what());
    return at::kCPU;
  }
}

Backend read_backend(Options& root) {
  Backend out;
  const std::string kernels = root.choice("kernels", "fast", {"fast", "reference"});
  out.kernels = kernels == "fast" ? ops::Kernels::kFast : ops::Kernels::kReference;
  const std::string conv = root.choice("conv", "winograd", {"winograd", "exact"});
  out.conv = conv == "winograd" ? ops::ConvAlgorithm::kWinograd : ops::ConvAlgorithm::kDirect;
  out.device = read_device(root);
  const std::string precision = root.choice("precision", "fp32", {"fp32", "tf32", "bf16", "fp16"});
  out.precision = precision == "bf16"   ? ops::Precision::kBf16
                  : precision == "fp16" ? ops::Precision::kFp16
                  : precision == "tf32" ? ops::Precision::kTf32
                                        : ops::Precision::kFp32;
  const bool half = precision == "bf16" || precision == "fp16";
  root.check(!half || kernels == "fast" || !out.device.is_cuda(), "precision",
             "{} on a GPU needs kernels: fast; the reference computes in the weights' own type", precision);
  out.graphs = root.choice("graphs", "on", {"on", "off"}) == "on" ? ops::Graphs::kOn : ops::Graphs::kOff;
  return out;
}

TrainingSettings read_training(Options& training) {
  TrainingSettings settings = training_settings(training);
  training.check(settings.images > 0, "images", "expected the length of the run in images, above 0, found {}",
                 settings.images);
  return settings;
}

Intervals read_intervals(Options& training, const TrainingSettings& settings) {
  const auto tenth = std::max<std::int64_t>(settings.images / 10, 1);
  return {.log = training.integer("log_every", std::max<std::int64_t>(settings.images / 200, 1), at_least(1)),
          .checkpoint = training.integer("checkpoint_every", tenth, at_least(1)),
          .samples = training.integer("samples_every", tenth, at_least(0)),
          .keep = training.integer("keep_checkpoints", 2, at_least(0)),
          .sample_rows = training.integer("sample_rows", 4, between(1, 64))};
}

EvaluationSettings read_evaluation(Options& evaluation) {
  EvaluationSettings out;
  out.images = evaluation.integer("images", 1000, between(2, 1e9));
  out.real = evaluation.integer("real", 10000, between(4, 1e7),
                                "real images, chosen by seed, that metrics other than Fréchet distances compare with");
  out.seed = static_cast<std::uint64_t>(evaluation.integer("seed", 0, at_least(0)));
  out.metrics = evaluation.texts("metrics", {"frechet", "kid"});
  const auto known = names(metric_table());
  for (const auto& metric : out.metrics)
    evaluation.check(std::find(known.begin(), known.end(), metric) != known.end(), "metrics", "unknown metric '{}'{}",
                     metric, suggestion(metric, known));
  out.reference = evaluation.text("reference", "");
  // Extractors learn from the data, so `evaluate` makes them: until then their keys wait.
  evaluation.defer("features");
  evaluation.defer("held_out");
  return out;
}

}  // namespace

void apply_backend(const Backend& backend) {
  ops::set_kernels(backend.kernels);
  ops::set_conv_algorithm(backend.conv);
  ops::set_device(backend.device);
  ops::set_precision(backend.precision);
  ops::set_graphs(backend.graphs);
}

RunConfig parse(Options options) {
  Options root = options;  // another handle to the same document
  RunConfig config{.options = std::move(options)};
  config.name = root.text("name", "run");
  root.check(!config.name.empty() && config.name.find('/') == std::string::npos, "name",
             "expected a name without '/', found '{}'", config.name);
  config.seed = static_cast<std::uint64_t>(root.integer("seed", 0, at_least(0)));
  config.backend = read_backend(root);
  for (const char* section :
       {"data", "image", "network", "preconditioning", "loss_weight", "noise_levels", "objective"})
    root.defer(section);
  Options training = root.child("training");
  config.training = read_training(training);
  config.objective = objective_settings(training);
  config.intervals = read_intervals(training, config.training);
  training.defer("ema");
  config.loader = {.batch_size = config.training.batch_size,
                   .threads = training.integer("loader_threads", 1, between(1, 256)),
                   .seed = config.seed,
                   .flip = training.flag("flip", false)};
  root.defer("sampling");
  Options evaluation = root.child("evaluation");
  config.evaluation = read_evaluation(evaluation);
  return config;
}

}  // namespace edmund
