// stats: mean and covariance of the features of real images, as a reference that evaluations are
// taken to (`evaluation.reference`). Reads `data` and `evaluation.features` of a config; the file
// records images, split, resizing and extractor, and is read by NVlabs/edm too.
//
//   edmund stats CONFIG|RUN --out FILE.npz [data.split=test …]

#include "edmund/commands/command.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/evaluation/features.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/statistics_file.h"

#include <algorithm>
#include <c10/core/InferenceMode.h>
#include <filesystem>
#include <iostream>
#include <memory>

namespace edmund {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBlock = 256;           // most images that are decoded at once
constexpr std::int64_t kBlockBytes = 1 << 26;  // and most of their bytes

struct StatsFlags {
  Target target;
  std::string out;
};

Options read_config(const Target& target) {
  Options root = options_of(target);
  for (const auto& key : root.keys())
    if (key != "data" && key != "evaluation") root.defer(key);
  Options evaluation = root.child("evaluation");
  for (const auto& key : evaluation.keys())
    if (key != "features" && key != "seed") evaluation.defer(key);
  return root;
}

Moments moments_of(const Dataset& data, const FeatureExtractor& features) {
  const c10::InferenceMode inference;
  const DatasetInfo info = data.info();
  const std::int64_t size = info.size, bytes = info.channels * info.height * info.width;
  const std::int64_t block = std::clamp<std::int64_t>(kBlockBytes / bytes, 1, kBlock);
  Moments moments;
  Progress progress("features", "images", size);
  for (std::int64_t begin = 0; begin < size; begin += block) {
    const auto rows = consecutive(begin, std::min(block, size - begin));
    moments.add(features.extract(data.read(rows).images));
    progress.update(begin + static_cast<std::int64_t>(rows.size()));
  }
  progress.finish();
  return moments;
}

ExitCode stats(const StatsFlags& flags) {
  require(fs::path(flags.out).extension() == ".npz", "--out {}: expected a file that ends with .npz", flags.out);
  Options root = read_config(flags.target);
  Options data_options = root.child("data"), evaluation = root.child("evaluation");
  const auto data = make_dataset(data_options);
  const auto seed = static_cast<std::uint64_t>(evaluation.integer("seed", 0, at_least(0)));
  Options feature_options = evaluation.child("features");
  const auto features = make_features(feature_options, {.labeled = *data, .seed = seed});
  root.finish();
  log::info("features: {} {}", features->name(), features->provenance());

  const Moments moments = moments_of(*data, *features);
  const DatasetInfo info = data->info();
  auto read = Options::read_text(root.resolved(), "config").flattened();  // defaults included
  const auto said = [&](const std::string& key) { return read.contains(key) ? read[key] : std::string("none"); };
  ReferenceStatistics statistics{.mean = moments.mean(), .covariance = moments.covariance(), .count = moments.count()};
  statistics.record = {
      {"extractor", features->fingerprint()},
      {"features", features->name() + ": " + features->provenance()},
      {"data", info.name},
      {"split", said("data.split")},
      {"resize", format("{}, {}x{} pixels, {} channels", said("data.resize") == "refuse" ? "none" : said("data.resize"),
                        info.width, info.height, info.channels)},
      {"edmund", EDMUND_VERSION}};
  const std::int64_t dims = statistics.mean.size(0);
  if (moments.count() <= dims)
    log::warn("{} images for {} features: the covariance is singular, and distances to it mean little", moments.count(),
              dims);
  write_file(flags.out, statistics_bytes(statistics));
  std::cout << format("{}: {} images of {}, {} features ({})\n", flags.out, moments.count(), info.name, dims,
                      features->name());
  return ExitCode::kDone;
}

}  // namespace

Action make_stats(CLI::App& arguments) {
  const auto flags = std::make_shared<StatsFlags>();
  add_target(arguments, flags->target, "CONFIG.yaml or RUN");
  arguments.add_option("--out", flags->out, "the file to write, .npz")->required();
  return [=] { return stats(*flags); };
}

}  // namespace edmund
