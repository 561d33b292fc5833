// stats: mean and covariance of the features of real images, as a reference that evaluations are
// taken to (`evaluation.reference`). Reads `data` and `evaluation.features` of a config; the file
// records images, split, resizing and extractor, and is read by NVlabs/edm too.
//
//   edmund stats CONFIG|RUN --out FILE.npz [data.split=test …]
//
// Stops on a signal; the same command goes on with the features that are kept (in RUN/cache, or in
// FILE.npz.parts until the file is written).

#include "edmund/commands/command.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/stop.h"
#include "edmund/evaluation/feature_cache.h"
#include "edmund/evaluation/features.h"
#include "edmund/evaluation/real_features.h"
#include "edmund/evaluation/statistics_file.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

namespace edmund {
namespace {

namespace fs = std::filesystem;

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

ExitCode stats(const StatsFlags& flags) {
  require(fs::path(flags.out).extension() == ".npz", "--out {}: expected a file that ends with .npz", flags.out);
  require_file_like("--out", flags.out);
  Options root = read_config(flags.target);
  Options data_options = root.child("data"), evaluation = root.child("evaluation");
  const auto data = make_dataset(data_options);
  const auto seed = static_cast<std::uint64_t>(evaluation.integer("seed", 0, at_least(0)));
  Options feature_options = evaluation.child("features");
  const bool of_run = fs::is_directory(flags.target.path);
  const fs::path cache = of_run ? fs::path(flags.target.path) / "cache" : fs::path(flags.out + ".parts");
  auto made = make_features(feature_options, {.labeled = *data, .seed = seed, .cache = cache});
  root.finish();
  const auto features = cached_features(std::move(made), cache);
  log::info("features: {} {}", features->name(), features->provenance());

  const Moments moments = feature_moments(*features, *data, cache);
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
  if (moments.count() < enough_images(dims))
    log::warn("{} images are few for {} features: at least {} are usual, and {} for a covariance of full rank",
              moments.count(), dims, enough_images(dims), dims + 1);
  write_file(flags.out, statistics_bytes(statistics));
  if (!of_run) remove_tree(cache);
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
