#include "edmund/app/config.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/metrics.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

namespace edmund {
namespace {

// A config does not depend on the machine, so `auto` stays in it.
at::Device read_device(Options& root) {
  const std::string device = root.text("device", "auto", "auto, cpu, cuda or cuda:N");
  try {
    return ops::find_device(device);
  } catch (const Error& error) {
    root.reject("device", error.what());
    return at::kCPU;
  }
}

Backend read_backend(Options& root) {
  Backend out;
  const std::string kernels =
      root.choice("kernels", "fast", {"fast", "reference"}, "fast ones, or plain ATen to check against");
  out.kernels = kernels == "fast" ? ops::Kernels::kFast : ops::Kernels::kReference;
  const std::string conv = root.choice("conv", "winograd", {"winograd", "exact"},
                                       "3×3 convolutions on a CPU: by Winograd's algorithm, or directly");
  out.conv = conv == "winograd" ? ops::ConvAlgorithm::kWinograd : ops::ConvAlgorithm::kDirect;
  out.device = read_device(root);
  const std::string precision = root.choice("precision", "fp32", {"fp32", "tf32", "bf16", "fp16"},
                                            "what networks compute in; weights and loss stay float32");
  out.precision = precision == "bf16"   ? ops::Precision::kBf16
                  : precision == "fp16" ? ops::Precision::kFp16
                  : precision == "tf32" ? ops::Precision::kTf32
                                        : ops::Precision::kFp32;
  const bool half = precision == "bf16" || precision == "fp16";
  root.check(!half || kernels == "fast" || !out.device.is_cuda(), "precision",
             "{} on a GPU needs kernels: fast; the reference computes in the weights' own type", precision);
  out.graphs = root.choice("graphs", "on", {"on", "off"}, "whether steps are recorded as CUDA graphs") == "on"
                   ? ops::Graphs::kOn
                   : ops::Graphs::kOff;
  return out;
}

TrainingSettings read_training(Options& training) {
  TrainingSettings settings = training_settings(training);
  training.mark_needed("images");
  training.check(settings.images > 0, "images", "expected the length of the run in images, above 0, found {}",
                 settings.images);
  return settings;
}

Intervals read_intervals(Options& training, const TrainingSettings& settings) {
  const auto tenth = std::max<std::int64_t>(settings.images / 10, 1);
  return {.log = training.integer("log_every", std::max<std::int64_t>(settings.images / 200, 1), at_least(1),
                                  "images between two lines of the log; by default a 200th of the run"),
          .checkpoint = training.integer("checkpoint_every", tenth, at_least(1),
                                         "images between two checkpoints; by default a tenth of the run"),
          .samples = training.integer("samples_every", tenth, at_least(0),
                                      "images between two sheets of samples, as many by default; 0: none"),
          .keep = training.integer("keep_checkpoints", 2, at_least(0),
                                   "newest ones that are kept, those of a stop beside them until the next; 0: all"),
          .sample_rows = training.integer("sample_rows", 4, between(1, 64), "rows and columns of a sheet of samples"),
          .averages = training.integer("ema_tracks_every", std::max<std::int64_t>(settings.images / 32, 1), at_least(1),
                                       "images between two moments at which the averages of ema_tracks are kept; by "
                                       "default a 32nd of the run"),
          .save_patience = training.real("save_patience", 3600.0, at_least(0),
                                         "seconds that a run goes on while the disk takes no checkpoint, trying again "
                                         "every minute; then it ends with exit code 74")};
}

ValidationSettings read_validation(Options& training, bool has_held_out) {
  Options validation = training.child("validation", "loss of held-out images at each checkpoint");
  ValidationSettings out;
  out.images = validation.integer("images", has_held_out ? 1024 : 0, at_least(0),
                                  "held-out images (of evaluation.held_out) to measure; 0: none");
  out.keep_best = validation.integer("keep_best", out.keep_best, at_least(0),
                                     "checkpoints with the lowest loss to keep beside the newest");
  out.patience = validation.integer("patience", out.patience, at_least(0),
                                    "images without a lower loss after which training ends; 0: never");
  validation.check(out.images == 0 || has_held_out, "images",
                   "needs evaluation.held_out: images that are not trained on");
  validation.check(out.patience == 0 || out.images > 0, "patience", "needs held-out images to measure: images above 0");
  return out;
}

// "5400", "90m", "2h", "1d12h" in seconds; nothing for anything else.
std::optional<double> seconds_of(std::string_view text) {
  double sum = 0.0;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of("smhd"), text.size());
    const auto number = parse_real(text.substr(0, end));
    if (!number || !(*number >= 0.0) || !std::isfinite(*number)) return std::nullopt;
    const char unit = end < text.size() ? text[end] : 's';
    sum += *number * (unit == 'd' ? 86400.0 : unit == 'h' ? 3600.0 : unit == 'm' ? 60.0 : 1.0);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return sum;
}

double read_walltime(Options& training) {
  const std::string text = training.text(
      "max_walltime", "", "time (5400, 90m, 2h) after which a training saves and exits with 75; empty: none");
  const auto seconds = seconds_of(text);
  training.check(seconds.has_value(), "max_walltime",
                 "expected seconds, or numbers with s, m, h or d behind them (90m, 1h30m), found {}", in_quotes(text));
  return seconds.value_or(0.0);
}

StartingWeights read_init(Options& training) {
  return {.from = training.path("init", "run or checkpoint whose weights a new run starts from").string(),
          .ema = training.choice("init_weights", "ema", {"ema", "raw"}, "which of its weights") == "ema"};
}

EvaluationSettings read_evaluation(Options& evaluation) {
  EvaluationSettings out;
  out.images = evaluation.integer("images", 1000, between(2, 1e9), "images that are drawn and scored");
  out.real = evaluation.integer("real", 10000, between(4, 1e7),
                                "real images, chosen by seed, that metrics other than Fréchet distances compare with");
  out.seed = static_cast<std::uint64_t>(
      evaluation.integer("seed", 0, at_least(0), "of the noise of the images that are scored"));
  out.metrics = evaluation.texts("metrics", {"frechet", "kid"}, "scores, as edmund list metrics has them");
  for (const auto& metric : out.metrics)
    if (const std::string fault = metric_fault(metric); !fault.empty()) evaluation.reject("metrics", fault);
  out.reference =
      evaluation.path("reference", {}, "statistics of the real images (edmund stats); empty: from the data").string();
  // Extractors learn from the data, so `evaluate` makes them: until then their keys wait.
  evaluation.defer("features");
  evaluation.defer("held_out");
  for (const char* file : {"features.file", "held_out.root", "held_out.file"}) evaluation.settle(file);
  // elsewhere these are names of arrays
  const auto values = evaluation.flattened();
  if (const auto type = values.find("evaluation.held_out.type"); type != values.end() && type->second == "idx")
    for (const char* file : {"held_out.images", "held_out.labels"}) evaluation.settle(file);
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
  RunConfig config{.options = options};
  Options& root = options;  // another handle to the same document
  config.name = root.text("name", "run", "of the run, whose folder is runs/NAME");
  if (const std::string fault = name_fault(config.name); !fault.empty()) root.reject("name", fault);
  config.seed =
      static_cast<std::uint64_t>(root.integer("seed", 0, at_least(0), "of every random draw of the training"));
  config.backend = read_backend(root);
  for (const char* section :
       {"data", "image", "network", "preconditioning", "loss_weight", "noise_levels", "objective", "adapter"})
    root.defer(section);
  Options training = root.child("training", "length, batch and optimizer of the training");
  config.training = read_training(training);
  config.objective = objective_settings(training);
  config.intervals = read_intervals(training, config.training);
  const std::string check = training.choice("check", "auto", {"auto", "header", "full"},
                                            "images decoded before the first step: all, none, or those of a minute");
  config.check = check == "full" ? DataCheck::kFull : check == "header" ? DataCheck::kHeader : DataCheck::kAuto;
  config.accepts_other_data = training.choice("data_changed", "refuse", {"refuse", "accept"},
                                              "whether a run goes on with other images than before") == "accept";
  config.max_walltime = read_walltime(training);
  training.defer("ema");
  Options evaluation = root.child("evaluation", "how drawn images are scored");
  config.validation = read_validation(training, evaluation.has("held_out"));
  config.init = read_init(training);
  Options augment = training.child("augment", "transformations of the images that are trained on");
  config.loader = {.batch_size = config.training.batch_size,
                   .threads = training.integer("loader_threads", 1, between(1, 256), "threads that decode images"),
                   .seed = config.seed,
                   .flip = training.flag("flip", false, "mirror half of the images, by chance"),
                   .augment = augment_settings(augment)};
  root.defer("sampling");
  config.evaluation = read_evaluation(evaluation);
  return config;
}

}  // namespace edmund
