// evaluate: draws images and scores them against real ones, each number beside its floor and its
// ceiling; keeps the scores in RUN/scores.json under a name, and updates RUN/report.html.
//
//   edmund evaluate RUN|CHECKPOINT [sampling.sampler.type=ddim …] [--name NAME] [--folder IMAGES] [--raw] [--json]

#include "edmund/app/curvature.h"
#include "edmund/app/evaluation.h"
#include "edmund/app/run.h"
#include "edmund/commands/command.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/evaluation/classifier.h"
#include "edmund/evaluation/features.h"
#include "edmund/evaluation/scores.h"
#include "edmund/evaluation/statistics_file.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/image_io.h"
#include "edmund/networks/state_dict.h"

#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

using nlohmann::ordered_json;

struct EvaluateFlags {
  Target target;
  std::string name, folder;
  bool raw = false, json = false;
};

Generated images_in(const std::filesystem::path& folder, const ModelShape& shape) {
  Options options = Options::read_text("type: folder", "--folder", std::vector<std::string>{"root=" + folder.string()});
  const auto data = make_dataset(options);
  require_model_size(data->info(), shape, folder.string());
  return {.images = read_all(*data).images};
}

ordered_json as_json(const Score& score) {
  return {{"name", score.name},   {"value", score.value},     {"error", score.error},
          {"floor", score.floor}, {"ceiling", score.ceiling}, {"closed", score.closed()}};
}

ordered_json as_json(const ReferenceStatistics& statistics) {
  ordered_json out = {{"file", statistics.file}};
  if (statistics.count) out["count"] = *statistics.count;
  for (const auto& [key, value] : statistics.record) out[key] = value;
  return out;
}

void print(const ordered_json& result) {
  std::cout << result["name"].get<std::string>() << ": " << result["images"] << " images, "
            << result["evaluations_per_image"] << " evaluations each\n";
  for (const auto& score : result["scores"])
    std::cout << format("  {} = {} (real images {}, noise {})\n", score["name"].get<std::string>(),
                        number_text(std::round(score["value"].get<double>() * 1e4) / 1e4),
                        number_text(std::round(score["floor"].get<double>() * 1e4) / 1e4),
                        number_text(std::round(score["ceiling"].get<double>() * 1e2) / 1e2));
}

ExitCode evaluate(const EvaluateFlags& flags) {
  TrainedModel trained =
      load_model(flags.target.path, flags.target.overrides, Needs::kData, flags.raw ? Weights::kRaw : Weights::kEma);
  Experiment& experiment = trained.experiment;
  const auto features = evaluation_features(experiment, trained.run.path / "cache");
  ScoreSettings settings{.metrics = experiment.config.evaluation.metrics};
  if (!experiment.config.evaluation.reference.empty())
    settings.statistics = read_statistics(experiment.config.evaluation.reference);
  log::info("features: {} {}", features->name(), features->provenance());

  // Before anything is drawn: statistics of other features are refused at once.
  const Reference reference(*features, read_all(*experiment.data).images, experiment.config.evaluation.seed, settings);

  ImageGenerator generator(experiment.model, experiment.sampling, experiment.shape);
  Generated drawn;
  if (!flags.folder.empty()) {
    drawn = images_in(flags.folder, experiment.shape);
  } else {
    const auto numbers = consecutive(0, experiment.config.evaluation.images);
    Progress progress("sampling", "images", experiment.config.evaluation.images);
    drawn = generator.draw(numbers, balanced_labels(experiment.shape, numbers), experiment.config.evaluation.seed,
                           {.progress = [&](std::int64_t done) { progress.update(done); }});
    progress.finish();
  }
  const std::string name = !flags.name.empty()     ? flags.name
                           : !flags.folder.empty() ? flags.folder
                                                   : experiment.sampling.name;
  ordered_json result = {{"name", name},
                         {"sampling", flags.folder.empty() ? experiment.sampling.name : "images in " + flags.folder},
                         {"weights", flags.raw ? "raw" : "ema"},
                         {"trained_images", trained.images},
                         {"images", drawn.images.size(0)},
                         {"seed", experiment.config.evaluation.seed},
                         {"evaluations_per_image", drawn.evaluations},
                         {"seconds", drawn.seconds},
                         {"data", experiment.data->info().name},
                         {"features", features->name()},
                         {"features_from", features->provenance()}};
  if (settings.statistics) result["reference"] = as_json(*settings.statistics);
  for (const Score& score : reference.scores(drawn.images)) result["scores"].push_back(as_json(score));
  if (drawn.labels.defined())
    if (const Classifier* classifier = features->classifier()) {
      const Estimate agreement = classifier->accuracy(drawn.images, drawn.labels);
      result["class_agreement"] = agreement.value;
      result["class_agreement_error"] = agreement.error;
    }

  ordered_json all = std::filesystem::exists(trained.run.scores())
                         ? ordered_json::parse(read_file(trained.run.scores()), nullptr, false)
                         : ordered_json::array();
  require(all.is_array(), "{}: damaged; delete it to start anew", trained.run.scores().string());
  std::erase_if(all.get_ref<ordered_json::array_t&>(),
                [&](const ordered_json& old) { return old.value("name", "") == name; });
  all.push_back(result);
  write_file(trained.run.scores(), all.dump(2) + "\n");
  if (!std::filesystem::exists(curvature_file(trained.run)))  // runs that an older version trained have none
    write_curvature(trained.run, generator, 4, experiment.config.seed);
  write_report(trained.run, parameter_count(experiment.model.network()));
  if (flags.json)
    std::cout << result.dump(2) << '\n';
  else
    print(result);
  if (!flags.json && result.contains("class_agreement"))
    std::cout << format("  the classifier names the class that was asked for: {} %\n",
                        std::round(result["class_agreement"].get<double>() * 1e4) / 1e2);
  log::info("report: {}", std::filesystem::absolute(trained.run.report()).string());
  return ExitCode::kDone;
}

}  // namespace

Action make_evaluate(CLI::App& arguments) {
  const auto flags = std::make_shared<EvaluateFlags>();
  add_target(arguments, flags->target, "RUN or RUN/checkpoints/N");
  arguments.add_option("--name", flags->name, "name of the scores in the report (default: how they were sampled)");
  arguments.add_option("--folder", flags->folder, "scores these images in place of drawing some");
  arguments.add_flag("--raw", flags->raw, "the network's own weights in place of their EMA");
  arguments.add_flag("--json", flags->json, "scores as JSON");
  return [=] { return evaluate(*flags); };
}

}  // namespace edmund
