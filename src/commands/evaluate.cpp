// evaluate: draws images and scores them against real ones, each number beside its floor and its
// ceiling; keeps the scores in RUN/scores.json, a row for each different evaluation, and updates
// RUN/report.html. Stops on a signal and goes on from there: images are kept until they are scored,
// features for good.
//
//   edmund evaluate RUN|CHECKPOINT [sampling.sampler.type=ddim …] [--name NAME] [--folder IMAGES]
//       [--raw | --ema W] [--json]
#include "evaluate.h"

#include "adapter_flag.h"
#include "edmund/app/curvature.h"
#include "edmund/app/evaluation.h"
#include "edmund/app/run.h"
#include "edmund/app/score_curves.h"
#include "edmund/app/score_rows.h"
#include "edmund/commands/command.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"
#include "edmund/data/image_source.h"
#include "edmund/evaluation/classifier.h"
#include "edmund/evaluation/real_features.h"
#include "edmund/evaluation/scores.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/tensor_file.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/checkpoint.h"
#include "kept_images.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::unique_ptr<Dataset> images_in(const std::string& folder, const ModelShape& shape) {
  Options options;
  options.set("type", "folder", "--folder");
  options.set("root", folder, "--folder");
  auto data = make_dataset(options);
  require_model_size(data->info(), shape, folder);
  return data;
}

std::string checksum_of(const Tensor& images) {
  const Tensor values = images.contiguous();
  return checksum({static_cast<const char*>(values.const_data_ptr()), static_cast<std::size_t>(values.nbytes())});
}

ordered_json as_json(const ReferenceStatistics& statistics) {
  ordered_json out = {{"file", statistics.file}};
  if (statistics.count) out["count"] = *statistics.count;
  for (const auto& [key, value] : statistics.record) out[key] = value;
  return out;
}

std::string shown(const ordered_json& number) {
  return number.is_number() ? short_number(number.get<double>()) : "unknown";
}

void print(const ordered_json& result) {
  std::cout << result["name"].get<std::string>() << ": " << result["images"] << " images";
  // images of a folder have none
  if (const auto each = result["evaluations_per_image"].get<std::int64_t>(); each > 0)
    std::cout << format(", {} evaluations each", each);
  std::cout << '\n';
  for (const auto& score : result["scores"]) {
    std::cout << format("  {} = {}", score["name"].get<std::string>(), shown(score["value"]));
    std::cout << (score["error"].is_null() ? " (error unknown; " : format(" ± {} (", shown(score["error"])));
    if (score["bias"].is_number() && score["bias"] != 0.0) std::cout << format("bias {}; ", shown(score["bias"]));
    std::cout << format("real images {}, noise {})\n", shown(score["floor"]), shown(score["ceiling"]));
  }
  if (result.contains("class_agreement"))
    std::cout << format("  the classifier names the class that was asked for: {} %\n",
                        short_number(100 * result["class_agreement"].get<double>()));
}

/// Features of the real images; for a reference file and distances alone, of no more of them than
/// the floor takes.
RealFeatures real_side(const Experiment& experiment, const FeatureExtractor& features, std::int64_t images,
                       const fs::path& cache) {
  const EvaluationSettings& evaluation = experiment.config.evaluation;
  const Dataset& data = *experiment.data;
  const bool alone = !evaluation.reference.empty() && std::ranges::all_of(evaluation.metrics, [](const auto& metric) {
    return metric == "frechet" || metric == "frechet_infinity";
  });
  if (!alone)
    return real_features(features, data, {.kept = evaluation.real, .seed = evaluation.seed, .unfinished = cache});
  const std::int64_t some = std::min(evaluation.real, std::max<std::int64_t>(images, 4));
  const auto part = subset(data, chosen_indices(data.info().size, some, evaluation.seed), data.info().name);
  return real_features(features, *part, {.kept = some, .seed = evaluation.seed});
}

/// What the numbers hang on.
EvaluationFacts facts_of(const EvaluateFlags& flags, const TrainedModel& trained, const FeatureExtractor& features,
                         const ScoreSettings& settings, const std::string& images) {
  const Experiment& experiment = trained.experiment;
  const EvaluationSettings& evaluation = experiment.config.evaluation;
  const DatasetInfo data = experiment.data->info();
  EvaluationFacts out{.weights = checksum(tensor_bytes(state_dict(experiment.model.network()))),
                      .images = images,
                      .sampling = flags.folder.empty() ? sampling_facts(experiment) : "",
                      .scoring = format("{} {} {} {}, {} of {} images of {} ({})", features.name(),
                                        features.provenance(), features.fingerprint(), evaluation.seed, evaluation.real,
                                        data.size, data.name, experiment.data->fingerprint().content)};
  for (const auto& metric : evaluation.metrics) out.scoring += " " + metric;
  if (settings.statistics) out.scoring += " to " + checksum(statistics_bytes(*settings.statistics));
  return out;
}

std::string default_name(const EvaluateFlags& flags, const TrainedModel& trained) {
  if (!flags.folder.empty()) return as_utf8(flags.folder);
  const std::string file = (trained.checkpoint / "state.json").string() + " (config)";
  const Checkpoint header = read_header(trained.checkpoint);
  Options options = Options::read_text(header.config, file);
  take_image(options, header.resolved, file);
  const Experiment own = construct(parse(options), Needs::kSettings);
  std::string out = trained.experiment.sampling.name;
  for (const auto& difference : differences(trained, trained.weights, own)) out += ", " + difference;
  return out;
}

ordered_json row_of(const EvaluateFlags& flags, const TrainedModel& trained, const KeptImages& drawn,
                    const FeatureExtractor& features) {
  const Experiment& experiment = trained.experiment;
  const bool own = flags.folder.empty();
  const bool even = experiment.sampling.classes == ClassRule::kEven || experiment.shape.class_counts.empty();
  ordered_json out = {{"name", flags.name.empty() ? default_name(flags, trained) : flags.name},
                      {"sampling", own ? experiment.sampling.name : "images in " + as_utf8(flags.folder)},
                      {"weights", trained.weights.name()},
                      {"trained_images", trained.images},
                      {"images", drawn.images->info().size},
                      {"seed", experiment.config.evaluation.seed},
                      {"evaluations_per_image", drawn.evaluations},
                      {"seconds", drawn.seconds},
                      {"data", experiment.data->info().name},
                      {"features", features.name()},
                      {"features_from", features.provenance()}};
  if (trained.weights.kind == Weights::Kind::kWidth) out["ema_width"] = trained.weights.width;
  if (own && drawn.labels.defined()) out["classes"] = even ? "drawn evenly" : "drawn as often as in the training data";
  return out;
}

void add_agreement(ordered_json& row, const Tensor& labels, const FeatureExtractor& extractor, const Tensor& features) {
  const Classifier* classifier = extractor.classifier();
  if (!labels.defined() || !classifier) return;
  const Estimate agreement = classifier->accuracy_by_features(features, labels);
  row["class_agreement"] = agreement.value;
  row["class_agreement_error"] = agreement.error;
}

}  // namespace

ordered_json evaluated(const EvaluateFlags& flags) {
  TrainedModel trained = load_model(flags.target.path, flags.target.overrides, Needs::kData, flags.weights.weights());
  const Experiment& experiment = trained.experiment;
  const EvaluationSettings& evaluation = experiment.config.evaluation;
  const fs::path cache = trained.run.path / "cache", kept_scores = trained.run.scores();
  // Before anything is trained or drawn: what would end the command later.
  require(!fs::exists(kept_scores) || fs::is_regular_file(kept_scores), "{}: expected a file", kept_scores.string());
  auto folder = flags.folder.empty() ? nullptr : images_in(flags.folder, experiment.shape);
  const auto features = evaluation_features(experiment, cache);
  ScoreSettings settings{.metrics = evaluation.metrics};
  if (!evaluation.reference.empty()) settings.statistics = read_statistics(evaluation.reference);
  log::info("features: {} {}", features->name(), features->provenance());

  // Before anything is drawn: statistics of other features are refused at once.
  const std::int64_t count = folder ? folder->info().size : evaluation.images;
  const Reference reference(*features, real_side(experiment, *features, count, cache), evaluation.seed, settings);

  if (flags.reuse) {
    const std::string images = format("{} seed {}", count, evaluation.seed);
    const auto kept =
        kept_row(facts_of(flags, trained, *features, settings, images).fingerprint(), trained.run.scores());
    if (kept) return *kept;
  }
  ImageGenerator generator(experiment.model, experiment.sampling, experiment.shape);
  const std::string weights = checksum(tensor_bytes(state_dict(experiment.model.network())));
  const fs::path place =
      cache / ("drawn-" + checksum(format("{} {} {} {}", weights, sampling_facts(experiment), evaluation.seed, count)));
  const KeptImages drawn =
      folder ? KeptImages{.images = std::move(folder)} : draw_kept(generator, count, evaluation.seed, place);
  std::string content;  // checksums of the blocks
  const Tensor found =
      features_of(*features, *drawn.images, [&](const Tensor& images) { content += checksum_of(images); });
  const std::vector<Score> scores = reference.scores_of(found, drawn.labels);

  ordered_json row = row_of(flags, trained, drawn, *features);
  const std::string images =
      flags.folder.empty() ? format("{} seed {}", count, evaluation.seed) : format("{} {}", count, checksum(content));
  const EvaluationFacts facts = facts_of(flags, trained, *features, settings, images);
  row["evaluation"] = facts.fingerprint();
  row["protocol"] = facts.protocol();
  row["real"] = reference.count();
  if (settings.statistics) row["reference"] = as_json(*settings.statistics);
  for (const Score& score : scores) row["scores"].push_back(json_of(score));
  add_agreement(row, drawn.labels, *features, found);

  keep_row(row, trained.run.scores());
  write_score_events(trained.run);
  remove_tree(place);
  // runs that an older version trained have none
  if (read_curvature(trained.run).is_null()) write_curvature(trained.run, generator, 4, experiment.config.seed);
  write_report(trained.run, parameter_count(experiment.model.network()));
  log::info("report: {}", fs::absolute(trained.run.report()).string());
  return row;
}

Action make_evaluate(CLI::App& arguments) {
  const auto flags = std::make_shared<EvaluateFlags>();
  add_target(arguments, flags->target, "RUN or RUN/checkpoints/N");
  add_adapters(arguments, flags->target);
  add_text(arguments, "--name", flags->name, "name of the scores in the report (default: how they were sampled)");
  arguments.add_option("--folder", flags->folder, "scores these images in place of drawing some");
  add_weights(arguments, flags->weights);
  arguments.add_flag("--json", flags->json, "scores as JSON");
  return [=] {
    const ordered_json row = evaluated(*flags);
    if (flags->json)
      std::cout << json_text(row, 2) << '\n';
    else
      print(row);
    return ExitCode::kDone;
  };
}

}  // namespace edmund
