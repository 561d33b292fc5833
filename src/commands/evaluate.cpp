// evaluate: draws images and scores them against real ones, each number beside its floor and its
// ceiling; keeps the scores in RUN/scores.json under a name, and updates RUN/report.html.
//
//   edmund evaluate RUN|CHECKPOINT [sampling.sampler.type=ddim …] [--name NAME] [--folder IMAGES]
//       [--raw] [--json]

#include "edmund/app/curvature.h"
#include "edmund/app/evaluation.h"
#include "edmund/app/run.h"
#include "edmund/commands/command.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/core/text.h"
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
  Options options;
  options.set("type", "folder", "--folder");
  options.set("root", folder.string(), "--folder");
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

// Those of a folder, or drawn.
Generated images_to_score(const EvaluateFlags& flags, const Experiment& experiment, ImageGenerator& generator) {
  if (!flags.folder.empty()) return images_in(flags.folder, experiment.shape);
  const EvaluationSettings& settings = experiment.config.evaluation;
  const auto numbers = consecutive(0, settings.images);
  Progress progress("sampling", "images", settings.images);
  Generated drawn = generator.draw(numbers, balanced_labels(experiment.shape, numbers), settings.seed,
                                   {.progress = [&](std::int64_t done) { progress.update(done); }});
  progress.finish();
  return drawn;
}

ordered_json facts_of(const EvaluateFlags& flags, const TrainedModel& trained, const Generated& drawn,
                      const FeatureExtractor& features) {
  const Experiment& experiment = trained.experiment;
  const std::string& sampling = experiment.sampling.name;
  const bool own = flags.folder.empty();
  return {{"name", !flags.name.empty() ? flags.name
                   : own               ? sampling
                                       : as_utf8(flags.folder)},
          {"sampling", own ? sampling : "images in " + as_utf8(flags.folder)},
          {"weights", flags.raw ? "raw" : "ema"},
          {"trained_images", trained.images},
          {"images", drawn.images.size(0)},
          {"seed", experiment.config.evaluation.seed},
          {"evaluations_per_image", drawn.evaluations},
          {"seconds", drawn.seconds},
          {"data", experiment.data->info().name},
          {"features", features.name()},
          {"features_from", features.provenance()}};
}

void add_agreement(ordered_json& result, const Generated& drawn, const FeatureExtractor& features) {
  const Classifier* classifier = features.classifier();
  if (!drawn.labels.defined() || !classifier) return;
  const Estimate agreement = classifier->accuracy(drawn.images, drawn.labels);
  result["class_agreement"] = agreement.value;
  result["class_agreement_error"] = agreement.error;
}

// Beside the run's other scores, in place of one of the same name.
void keep(const ordered_json& result, const std::filesystem::path& file) {
  ordered_json all =
      std::filesystem::exists(file) ? ordered_json::parse(read_file(file), nullptr, false) : ordered_json::array();
  require(all.is_array(), "{}: damaged; delete it to start anew", file.string());
  std::erase_if(all.get_ref<ordered_json::array_t&>(),
                [&](const ordered_json& old) { return old.value("name", "") == result["name"]; });
  all.push_back(result);
  write_file(file, json_text(all, 2) + "\n");
}

ExitCode evaluate(const EvaluateFlags& flags) {
  TrainedModel trained =
      load_model(flags.target.path, flags.target.overrides, Needs::kData, flags.raw ? Weights::kRaw : Weights::kEma);
  const Experiment& experiment = trained.experiment;
  const EvaluationSettings& evaluation = experiment.config.evaluation;
  const auto features = evaluation_features(experiment, trained.run.path / "cache");
  ScoreSettings settings{.metrics = evaluation.metrics};
  if (!evaluation.reference.empty()) settings.statistics = read_statistics(evaluation.reference);
  log::info("features: {} {}", features->name(), features->provenance());

  // Before anything is drawn: statistics of other features are refused at once.
  const Reference reference(*features, read_all(*experiment.data).images, evaluation.seed, settings);

  ImageGenerator generator(experiment.model, experiment.sampling, experiment.shape);
  const Generated drawn = images_to_score(flags, experiment, generator);
  ordered_json result = facts_of(flags, trained, drawn, *features);
  if (settings.statistics) result["reference"] = as_json(*settings.statistics);
  for (const Score& score : reference.scores(drawn.images)) result["scores"].push_back(as_json(score));
  add_agreement(result, drawn, *features);

  keep(result, trained.run.scores());
  // runs that an older version trained have none
  if (!std::filesystem::exists(curvature_file(trained.run)))
    write_curvature(trained.run, generator, 4, experiment.config.seed);
  write_report(trained.run, parameter_count(experiment.model.network()));
  if (flags.json)
    std::cout << json_text(result, 2) << '\n';
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
  add_text(arguments, "--name", flags->name, "name of the scores in the report (default: how they were sampled)");
  arguments.add_option("--folder", flags->folder, "scores these images in place of drawing some");
  arguments.add_flag("--raw", flags->raw, "the network's own weights in place of their EMA");
  arguments.add_flag("--json", flags->json, "scores as JSON");
  return [=] { return evaluate(*flags); };
}

}  // namespace edmund
