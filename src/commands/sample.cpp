// sample: images from a trained model, one PNG each and a sheet of all.
//
//   edmund sample RUN|CHECKPOINT [sampling.sampler.type=ddim …] [--out DIR] [--images N | --numbers 0-63,100] [--class K] [--raw] [--json]
//
// Image number i is a function of (config, seed, i): the same picture in any batch, in any order.

#include "edmund/app/command.h"
#include "edmund/app/generate.h"
#include "edmund/app/run.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/core/text.h"
#include "edmund/data/image_io.h"

#include <algorithm>
#include <ATen/ops/full.h>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

namespace edmund {
namespace {

struct SampleFlags {
  Target target;
  std::string out, numbers;
  std::int64_t images = 64, seed = -1, label = -1;
  bool raw = false, json = false;
};

// "0-63,100" → 0 … 63, 100.
std::vector<std::int64_t> parse_numbers(const std::string& text) {
  std::vector<std::int64_t> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, end - at);
    const std::size_t dash = part.find('-');
    const auto first = parse_integer(part.substr(0, dash));
    const auto last = dash == std::string::npos ? first : parse_integer(part.substr(dash + 1));
    require(first && last && *first >= 0 && *last >= *first && *last - *first < 10'000'000,
            "--numbers: expected e.g. 0-63,100, found '{}'", text);
    for (auto number = *first; number <= *last; ++number) out.push_back(number);
    at = end + 1;
  }
  return out;
}

std::string file_name(std::int64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits + ".png";
}

ExitCode sample(const SampleFlags& flags) {
  const TrainedModel trained = load_model(flags.target.path, flags.target.overrides, Needs::kModel, !flags.raw);
  const Experiment& experiment = trained.experiment;
  const auto seed = flags.seed >= 0 ? static_cast<std::uint64_t>(flags.seed) : experiment.seed;
  std::vector<std::int64_t> numbers;
  if (flags.numbers.empty()) {
    require(flags.images > 0 && flags.images <= 10'000'000, "--images: expected a count above 0, found {}",
            flags.images);
    numbers.resize(static_cast<std::size_t>(flags.images));
    std::iota(numbers.begin(), numbers.end(), 0);
  } else {
    numbers = parse_numbers(flags.numbers);
  }
  Tensor labels = balanced_labels(experiment.shape, numbers);
  if (flags.label >= 0) {
    require(flags.label < experiment.shape.num_classes, "--class: the model has {} classes, found {}",
            experiment.shape.num_classes, flags.label);
    labels = at::full({static_cast<std::int64_t>(numbers.size())}, flags.label, at::kLong);
  }
  const std::filesystem::path out = flags.out.empty() ? trained.run.path / "samples" : std::filesystem::path(flags.out);
  make_folder(out);
  log::info("{} images by {} from {}", numbers.size(), experiment.sampling.name, trained.checkpoint.string());
  Progress progress("sampling", "images", static_cast<std::int64_t>(numbers.size()));
  const Generated drawn = generate(experiment.model, experiment.sampling, experiment.shape, numbers, labels, seed,
                                   [&](std::int64_t done) { progress.update(done); });
  progress.finish();

  for (std::size_t i = 0; i < numbers.size(); ++i)
    write_png(out / file_name(numbers[i]), drawn.images[static_cast<std::int64_t>(i)]);
  const auto shown = std::min<std::int64_t>(drawn.images.size(0), 400);
  const auto columns = experiment.shape.num_classes > 0 && experiment.shape.num_classes <= 20
                           ? experiment.shape.num_classes
                           : static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(shown))));
  write_png(out / "sheet.png", image_grid(drawn.images.narrow(0, 0, shown), std::min(columns, shown),
                                          std::max<std::int64_t>(1, 32 / experiment.shape.image.height), 2));
  nlohmann::ordered_json facts = {{"checkpoint", trained.checkpoint.string()},
                                  {"trained_images", trained.images},
                                  {"sampling", experiment.sampling.name},
                                  {"weights", flags.raw ? "raw" : "ema"},
                                  {"seed", seed},
                                  {"images", numbers.size()},
                                  {"evaluations_per_image", drawn.evaluations},
                                  {"images_per_second", static_cast<double>(numbers.size()) / drawn.seconds},
                                  {"folder", out.string()}};
  if (drawn.labels.defined())
    facts["labels"] = std::vector<std::int64_t>(drawn.labels.data_ptr<std::int64_t>(),
                                                drawn.labels.data_ptr<std::int64_t>() + drawn.labels.numel());
  write_file(out / "samples.json", facts.dump(2) + "\n");
  if (flags.json)
    std::cout << facts.dump(2) << '\n';
  else
    std::cout << format("{} images in {} ({} evaluations each); all on one sheet: {}\n", numbers.size(), out.string(),
                        drawn.evaluations, (out / "sheet.png").string());
  return ExitCode::kDone;
}

}  // namespace

Action make_sample(CLI::App& arguments) {
  const auto flags = std::make_shared<SampleFlags>();
  add_target(arguments, flags->target, "RUN or RUN/checkpoints/N");
  arguments.add_option("--out", flags->out, "folder for the images (default: RUN/samples)");
  arguments.add_option("--images", flags->images, "how many (default 64): numbers 0 … N-1");
  arguments.add_option("--numbers", flags->numbers, "which image numbers, e.g. 0-63,100");
  arguments.add_option("--seed", flags->seed, "random seed (default: the config's)");
  arguments.add_option("--class", flags->label, "class of all images (default: number mod classes)");
  arguments.add_flag("--raw", flags->raw, "the network's own weights in place of their EMA");
  arguments.add_flag("--json", flags->json, "facts as JSON");
  return [=] { return sample(*flags); };
}

}  // namespace edmund
