// Training and sampling under a limit of the system on memory (setrlimit, RLIMIT_AS).
#include "edmund/core/format.h"
#include "support/catch.h"
#include "support/file_contents.h"
#include "support/process.h"

#include <cstdint>
#include <string>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;

Outcome limited(const fs::path& folder, const std::string& arguments, std::int64_t megabytes) {
  return edmund_run(folder, arguments, format("ulimit -v {}; {}", megabytes * 1024, EDMUND_BINARY));
}

// The number behind the last `words`, 0 if there is none.
std::int64_t number_behind(const std::string& text, const std::string& words) {
  const auto at = text.rfind(words);
  return at == text.npos ? 0 : std::stoll(text.substr(at + words.size()));
}

}  // namespace

TEST_CASE("under a limit on memory a training takes the steps of the micro-batch that fits", "[commands][slow]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  // One step: memory may suffice for the first one and not for the second, which needs moments too.
  const std::string train =
      "train config.yaml network.channels=32 training.batch_size=2048 training.images=2048 "
      "training.samples_every=0 training.checkpoint_every=2048 --run ";
  std::int64_t fits = 0, limit = 3000;
  // until it is less than a batch takes, and enough for the rest
  for (; fits == 0; limit = limit * 19 / 20) {
    REQUIRE(limit > 400);
    fs::remove_all(folder.path() / "limited");
    const Outcome found = limited(folder.path(), train + "limited", limit);
    INFO(limit << " MB\n" << found.output);
    if (found.code == 0) fits = number_behind(found.output, "and all after it, with ");
  }
  const Outcome expected = edmund_run(folder.path(), train + format("free training.micro_batch={}", fits));
  INFO(expected.output);
  REQUIRE(expected.code == 0);
  for (const char* file : {"network", "ema", "optimizer"}) {
    const std::string name = format("checkpoints/000000002048/{}.safetensors", file);
    CHECK(contents(folder.path() / "limited" / name) == contents(folder.path() / "free" / name));
  }
  CHECK(contents(folder.path() / "limited/metrics.jsonl") == contents(folder.path() / "free/metrics.jsonl"));
  WARN("a limit of " << limit * 20 / 19 << " MB: " << fits << " of 2048 images at once");
}

}  // namespace edmund::testing
