// A training's weights are a function of its config: threads, loader threads and what is written on
// the way have no part in them.
#include "edmund/core/format.h"
#include "support/catch.h"
#include "support/process.h"

#include <map>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;

// Enough numbers in a batch for all threads to take part.
constexpr const char* kTraining =
    "network.channels=32 training.images=256 training.batch_size=64 "
    "training.augment.probability=0.3 training.augment.rotate_frac=1 training.clip_norm=1";

// The tensors of the last checkpoint, by file name.
std::map<std::string, std::string> tensors(const fs::path& run) {
  fs::path last;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints")) last = std::max(last, entry.path());
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::directory_iterator(last)) {
    std::ifstream stream(entry.path(), std::ios::binary);
    if (entry.path().extension() == ".safetensors")
      out[entry.path().filename().string()] = {std::istreambuf_iterator<char>(stream), {}};
  }
  return out;
}

}  // namespace

TEST_CASE("threads, loader threads and intervals have no part in what a training learns", "[commands][slow]") {
  const std::string precision = GENERATE("fp32", "bf16"), backend = GENERATE("kernels=fast", "kernels=reference");
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  std::map<std::string, std::string> expected;
  const char* const intervals[] = {
      "training.log_every=64 training.samples_every=0 training.checkpoint_every=256",
      "training.log_every=128 training.samples_every=64 training.checkpoint_every=64",
      "training.log_every=64 training.samples_every=128 training.checkpoint_every=192",
  };
  for (const int threads : {1, 2, 3, 4})
    for (const int loaders : {1, 2, 7}) {
      // the loader knows nothing of precision and kernels
      if ((precision != "fp32" || backend != "kernels=fast") && loaders != 1 + threads % 2) continue;
      const std::string name = format("run-{}-{}", threads, loaders);
      const std::string command =
          format("train config.yaml name={} {} precision={} {} training.loader_threads={} {}", name, backend, precision,
                 kTraining, loaders, intervals[(threads + loaders) % 3]);
      INFO(threads << " threads: " << command);
      const Outcome outcome =
          edmund_run(folder.path(), command, format("env OMP_NUM_THREADS={} {}", threads, EDMUND_BINARY));
      INFO(outcome.output);
      REQUIRE(outcome.code == 0);
      const auto found = tensors(folder.path() / "runs" / name);
      REQUIRE(found.size() >= 3);
      if (expected.empty()) expected = found;
      CHECK((found == expected));
    }
}

}  // namespace edmund::testing
