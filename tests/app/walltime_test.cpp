// A training that saves when it is asked to and when its time is over, and goes on from there.
#include "edmund/app/config.h"
#include "edmund/training/checkpoint.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_contents.h"
#include "support/process.h"

#include <string>
#include <utility>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;

RunConfig read(const std::string& time) {
  return parse(Options::read_text("training: {images: 1, max_walltime: " + time + "}", "config"));
}

}  // namespace

TEST_CASE("a time is seconds or numbers with units", "[app]") {
  for (const auto& [text, seconds] : {std::pair<std::string, double>{"5400", 5400},
                                      {"90m", 5400},
                                      {"1h30m", 5400},
                                      {"2h", 7200},
                                      {"1d", 86400},
                                      {"0.5h", 1800},
                                      {"10s", 10},
                                      {"0", 0},
                                      {"''", 0}})
    CHECK(read(text).max_walltime == seconds);
  for (const char* text : {"abc", "-3", "5x", "h", "1h30", "inf", "[1]"}) {
    INFO(text);
    const std::string message = error_of([&] { read(text).options.finish(); });
    // "1h30" ends in seconds
    CHECK(contains(message, "training.max_walltime") == (std::string(text) != "1h30"));
  }
}

TEST_CASE("a training saves at the end of its time, exits with 75, and goes on to the same result", "[app][slow]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const std::string more = " training.images=160 training.log_every=48 training.samples_every=0";
  const Outcome whole = edmund_run(folder.path(), "train config.yaml --run whole" + more);
  INFO(whole.output);
  REQUIRE(whole.code == 0);
  int stops = 0;
  for (Outcome part{.code = 75}; part.code == 75; ++stops) {
    REQUIRE(stops < 20);
    // less than the first step takes: one step each
    part = edmund_run(folder.path(), "train config.yaml --run parts training.max_walltime=0.001" + more);
    INFO(part.output);
    REQUIRE((part.code == 0 || part.code == 75));
    CHECK((part.code == 0 ||
           part.output.find("by training.max_walltime; the same command goes on") != std::string::npos));
    if (stops == 3)
      REQUIRE(edmund_run(folder.path(), "train config.yaml --run parts training.max_walltime=0.05" + more).code % 75 ==
              0);
  }
  CHECK(stops > 5);
  // to the byte: clocks are in other files
  for (const char* file :
       {"metrics.jsonl", "checkpoints/000000000160/network.safetensors", "checkpoints/000000000160/ema.safetensors",
        "checkpoints/000000000160/optimizer.safetensors"}) {
    INFO(file);
    CHECK(contents(folder.path() / "parts" / file) == contents(folder.path() / "whole" / file));
  }
}

TEST_CASE("SIGUSR1 saves, and the training goes on", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const Outcome saved = edmund_run(
      folder.path(),
      "train config.yaml training.images=1e6 training.checkpoint_every=1e6 training.log_every=64 "
      "training.samples_every=0 & pid=$!; "
      "while ! grep -q images runs/small/metrics.jsonl 2>/dev/null; do sleep 0.05; done; kill -USR1 $pid; "
      "while ! ls runs/small/checkpoints/*/state.json >/dev/null 2>&1; do sleep 0.05; done; "
      "lines=$(grep -c images runs/small/metrics.jsonl); while [ $(grep -c images runs/small/metrics.jsonl) "
      "-le $((lines + 2)) ]; do "
      "sleep 0.05; done; echo goes on; kill -TERM $pid; wait $pid; echo code $?; grep 'saved at' runs/small/log.txt");
  INFO(saved.output);
  CHECK(saved.output.find("saved at ") != std::string::npos);
  CHECK(saved.output.find("goes on\n") != std::string::npos);
  CHECK(saved.output.find("code 75") != std::string::npos);
}

}  // namespace edmund::testing
