#include "edmund/app/config.h"

#include "edmund/core/error.h"
#include "support/catch.h"
#include "support/process.h"

#include <algorithm>

namespace edmund::testing {
namespace {

// Where every schedule can be sampled by every sampler: the clock and the solver are chosen apart.
TEST_CASE("every schedule, sampler and preconditioning of the tables can be put together in a config", "[app]") {
  for (const auto& schedule : schedule_table())
    for (const auto& sampler : sampler_table())
      for (const auto& row : preconditioning_table()) {
        Options options = Options::read_text(format("{preconditioning: {type: {}}, sampling: {schedule: {type: {}}, "
                                                    "grid: {type: uniform, steps: 5}, sampler: {type: {}}}}",
                                                    row.name, example_of(schedule), sampler.name),
                                             "test");
        INFO(schedule.name << " " << sampler.name << " " << row.name);
        Options preconditioning = options.child("preconditioning");
        Options sampling = options.child("sampling");
        const Preconditioning made = make_preconditioning(preconditioning);
        const Sampling result = make_sampling(sampling, made);
        CHECK_NOTHROW(options.finish());
        CHECK(result.grid.t.size() >= 1);
      }
}

TEST_CASE("parse() reads what is fixed, and chooses, reads and makes nothing", "[app]") {
  const auto kernels = ops::kernels();
  const RunConfig config = parse(Options::read_text(
      "{name: few, seed: 3, kernels: reference, data: {type: idx, images: gone.idx}, network: {type: nonesuch}, "
      "training: {images: 1e3, batch_size: 8}, evaluation: {images: 50}}",
      "test"));
  CHECK(config.name == "few");
  CHECK(config.seed == 3);
  CHECK(config.training.images == 1000);
  CHECK(config.loader.batch_size == 8);
  CHECK(config.intervals.checkpoint == 100);
  CHECK(config.evaluation.images == 50);
  CHECK(config.backend.kernels == ops::Kernels::kReference);
  CHECK(ops::kernels() == kernels);
  CHECK_NOTHROW(config.options.finish());  // what plugins read waits for them
  apply_backend(config.backend);
  CHECK(ops::kernels() == ops::Kernels::kReference);
  ops::set_kernels(kernels);
}

TEST_CASE("all mistakes of a config come in one error, each with its place", "[app]") {
  const auto message = [](Needs needs) -> std::string {
    try {
      construct(parse(Options::read_text("name: a/b\ndata: {type: idx, images: gone.idx}\nnetwork: {type: nonesuch}\n"
                                         "training: {images: 0, ema: {type: powr}}\nsampling: {sampler: huen}\n"
                                         "evaluation: {metrics: [fretchet]}\ndevise: cpu\n",
                                         "test")),
                needs);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string all = message(Needs::kData), settings = message(Needs::kSettings);
  for (const char* part : {"test:1:7: name", "test:2:7: data", "test:3:17: network.type", "test:4:20: training.images",
                           "test:4:35: training.ema.type", "test:5:21: sampling.sampler.type",
                           "test:6:23: evaluation.metrics", "test:7:1: unknown key 'devise'"})
    CHECK_THAT(all, Catch::Matchers::ContainsSubstring(part));
  CHECK(std::count(all.begin(), all.end(), '\n') == 7);
  CHECK(std::count(settings.begin(), settings.end(), '\n') == 5);  // neither data nor network
}

TEST_CASE("settings alone need neither data nor network nor guide", "[app]") {
  const Experiment experiment =
      construct(parse(Options::read_text(
                    "{data: {type: idx, images: gone.idx}, network: {type: nonesuch}, training: {images: 10}, "
                    "sampling: {grid: {steps: 5}, guidance: {weight: 2, model: gone}}}",
                    "test")),
                Needs::kSettings);
  CHECK(experiment.data == nullptr);
  CHECK(experiment.model.shared_network() == nullptr);
  CHECK(experiment.sampling.grid.t.size() == 5);
  CHECK_THAT(experiment.sampling.name, Catch::Matchers::ContainsSubstring("autoguidance 2"));
}

TEST_CASE("a checkpoint's config builds a model without its data", "[app]") {
  Options options = Options::read_text(
      "{data: {type: idx, images: gone.idx}, image: {channels: 1, height: 8, width: 8, classes: 3}, network: {type: "
      "unet, channels: 8, multipliers: [1]}, "
      "training: {images: 10}}",
      "test");
  const Experiment experiment = construct(parse(options), Needs::kModel);
  CHECK(experiment.shape.num_classes == 3);
  CHECK(experiment.data == nullptr);
}

}  // namespace
}  // namespace edmund::testing
