// compare on a machine that records work, which here is the CPU with a recorder that runs the kept
// work again.
#include "edmund/generation/image_generator.h"
#include "edmund/studies/compare.h"
#include "support/catch.h"
#include "support/cpu_recorder.h"
#include "support/process.h"

#include <ATen/ops/equal.h>
#include <vector>

namespace edmund::testing {
namespace {

const char* const kVariants = R"(images: 12
block: 6
distance: {images: 4, tolerance: 1e-2}
variants:
  - {name: heun, sampling: {sampler: heun, batch_size: 2}}
  - {name: noisy, sampling: {sampler: {type: ddim, eta: 1}, batch_size: 2}}
)";

TEST_CASE("compare replays recorded work between the blocks of a cell, and draws the same images", "[app]") {
  const TemporaryFolder folder;
  const std::string at = folder.path().string();
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const Outcome trained = edmund_run(
      folder.path(), "train config.yaml --quiet data.images=" + at + "/images.idx data.labels=" + at + "/labels.idx");
  INFO(trained.output);
  REQUIRE(trained.code == 0);
  write_text(folder.path() / "few.yaml", "models: [{name: small, run: " + at + "/runs/small}]\n" + kVariants);

  const auto drawn = [&](const char* out) {
    Comparison comparison(folder.path() / "few.yaml", {}, folder.path() / out);
    comparison.run(0, 1, [](const auto&...) {});
    std::vector<Tensor> images;
    for (const CompareCell& cell : comparison.cells()) images.push_back(comparison.images_of(cell, 12));
    return images;
  };
  const auto plain = drawn("plain");
  const CpuRecorder recorder;
  const auto recorded = drawn("recorded");
  REQUIRE(recorded.size() == 3);  // the solution, which is not recorded, and two variants
  for (std::size_t i = 0; i < recorded.size(); ++i) CHECK(at::equal(recorded[i], plain[i]));
  CHECK(CpuRecorder::graphs() == 2);  // one a variant
  // six batches in two blocks: as it is, recorded, replayed
  CHECK(CpuRecorder::replays() == 2 * (6 - 2));
}

}  // namespace
}  // namespace edmund::testing
