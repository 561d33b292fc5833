#include "edmund/app/config.h"

#include "edmund/core/error.h"
#include "support/catch.h"
#include "support/process.h"

namespace edmund::testing {
namespace {

// Where every schedule can be sampled by every sampler: the clock and the solver are chosen apart.
TEST_CASE("every schedule, sampler and preconditioning of the tables can be put together in a config", "[app]") {
  for (const auto& schedule : schedule_table())
    for (const auto& sampler : sampler_table())
      for (const auto& row : preconditioning_table()) {
        Options options = Options::read_text(format("{preconditioning: {type: {}}, sampling: {schedule: {type: {}}, "
                                                    "grid: {type: uniform, steps: 5}, sampler: {type: {}}}}",
                                                    row.name, schedule.name, sampler.name),
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

TEST_CASE("a checkpoint's config builds a model without its data", "[app]") {
  Options options = Options::read_text(
      "{data: {type: idx, images: gone.idx}, image: {channels: 1, height: 8, width: 8, classes: 3}, network: {type: "
      "unet, channels: 8, multipliers: [1]}, "
      "training: {images: 10}}",
      "test");
  const Experiment experiment = build(options, Needs::kModel);
  CHECK(experiment.shape.num_classes == 3);
  CHECK(experiment.data == nullptr);
}

}  // namespace
}  // namespace edmund::testing
