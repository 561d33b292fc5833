// Long commands, interrupted by signals at random instants: what they leave and go on with is the
// uninterrupted result.
#include "edmund/core/format.h"
#include "edmund/core/stopwatch.h"
#include "support/catch.h"
#include "support/process.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

namespace edmund::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string bytes(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// A folder with data, a config, a run trained for a moment and an experiment of each kind.
const fs::path& prepared() {
  static const TemporaryFolder folder;
  static const bool done = [] {
    write_idx_data(folder.path());
    write_text(folder.path() / "config.yaml", small_config());
    write_text(folder.path() / "compare.yaml", R"(name: c
models: [{name: small, run: runs/small}]
images: 192
block: 32
distance: {images: 16, tolerance: 1e-4}
variants:
  - {name: heun, sampling: {sampler: heun, grid: {steps: 40}}}
  - {name: euler, sampling: {sampler: euler, grid: {steps: 80}}}
)");
    write_text(folder.path() / "ablate.yaml", R"(name: a
config: config.yaml
set: [training.images=640, training.checkpoint_every=160]
arms:
  - {name: edm}
  - {name: v, set: [preconditioning.type=v]}
compare: {images: 32, block: 8, distance: {images: 4, tolerance: 1e-3}}
)");
    return edmund_run(folder.path(),
                      "train config.yaml sampling.batch_size=8 evaluation.held_out.type=idx "
                      "evaluation.held_out.images=images.idx evaluation.held_out.labels=labels.idx")
               .code == 0;
  }();
  REQUIRE(done);
  return folder.path();
}

// Takes what a clock or a folder says out of a JSON value.
void strip(json& value) {
  if (value.is_object())
    for (const char* key : {"seconds", "images_per_second", "folder", "grid_file", "run", "checkpoint"})
      value.erase(key);
  if (value.is_structured())
    for (auto& part : value) strip(part);
}

// Files of the results, by name: pictures as they are, JSON and lines of JSON without clocks.
std::map<std::string, std::string> results(const fs::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path(), folder).string(), ending = entry.path().extension().string();
    if (ending == ".png" || name == "results.csv") out[name] = name == "results.csv" ? "" : bytes(entry.path());
    if (ending == ".json" && name.find("cells/") == name.npos && name.find("checkpoints/") == name.npos) {
      json value = json::parse(bytes(entry.path()));
      strip(value);
      out[name] = value.dump(1);
    }
    if (entry.path().filename() == "metrics.jsonl") out[name] = bytes(entry.path());
  }
  return out;
}

// Messages of a run's event files without their wall times, and without those of its speed.
std::vector<std::string> events_of(const fs::path& run) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(run / "events")) {
    const std::string file = bytes(entry.path());
    for (std::size_t at = 0; at < file.size();) {  // length, its checksum, message, its checksum
      std::uint64_t length = 0;
      std::memcpy(&length, file.data() + at, sizeof length);
      // the first field is the time
      const std::string message = file.substr(at + 12 + 9, length - 9);
      if (message.find("images_per_second") == message.npos) out.push_back(message);
      at += 16 + length;
    }
  }
  return out;
}

// Runs the command, which takes `seconds` when nothing comes between, until it is done, with
// signals after random times on its way; how often it was interrupted.
// The first comes early: the same work may be done sooner the second time.
int run_interrupted(const std::string& arguments, double seconds, std::mt19937& random, bool kills = false) {
  int interruptions = 0;
  for (int start = 0; start < 100; ++start) {
    const double earliest = start == 0 ? 0.15 : 0.4, latest = start == 0 ? 0.4 : 0.95;
    const char* signals[] = {"INT", "TERM", "HUP", "USR1", "KILL"};
    const std::string signal = signals[std::uniform_int_distribution<int>(0, kills ? 4 : 3)(random)];
    // from the start of the program on: each start gets somewhere
    const double wait = seconds * std::uniform_real_distribution<double>(earliest, latest)(random);
    const Outcome outcome =
        edmund_run(prepared(), format("{} & pid=$!; (sleep {}; kill -{} $pid 2>/dev/null) & wait $pid; echo code $?",
                                      arguments, wait, signal));
    INFO(arguments << ", " << signal << " after " << wait << " s\n" << outcome.output);
    if (outcome.output.find("code 0\n") != std::string::npos) return interruptions;
    ++interruptions;
    if (signal != "KILL") REQUIRE(outcome.output.find("code 75\n") != std::string::npos);
  }
  FAIL("100 starts did not do it: " << arguments);
  return interruptions;
}

TEST_CASE("a long command gives the same however often it is interrupted", "[app][slow]") {
  struct Long {
    std::string command, folder;  // what it writes, below the folder; OUT stands for a new name
  };
  const auto [command, folder] = GENERATE(values<Long>({
      {"sample runs/small --images 600 --out OUT sampling.grid.steps=60", "OUT"},
      {"compare compare.yaml --out OUT", "OUT"},
      {"ablate ablate.yaml --out OUT", "OUT"},
      {"optimize-grid runs/small --steps 4 --images 32 --held-out 32 --iterations 4 --out OUT/grid.yaml", "OUT"},
  }));
  const auto named = [](std::string text, const std::string& name) {
    for (auto at = text.find("OUT"); at != text.npos; at = text.find("OUT")) text.replace(at, 3, name);
    return text;
  };
  static int number = 0;
  const std::string whole = format("whole{}", number), often = format("often{}", number);
  ++number;
  prepared();
  const Stopwatch watch;
  const Outcome once = edmund_run(prepared(), named(command, whole));
  const double seconds = watch.seconds();
  INFO(once.output);
  REQUIRE(once.code == 0);
  std::mt19937 random(7);
  const int interruptions = run_interrupted(named(command, often), seconds, random, /*kills=*/true);
  INFO(command << ": interrupted " << interruptions << " times");
  CHECK(interruptions > 0);
  CHECK(results(prepared() / named(folder, often)) == results(prepared() / named(folder, whole)));
  CHECK_FALSE(fs::exists(prepared() / "runs/small/.unfinished"));
}

TEST_CASE("the likelihood of a run is the same however often it is interrupted", "[app][slow]") {
  const std::string command = "likelihood runs/small --images 64 sampling.grid.steps=24";
  prepared();
  const Stopwatch watch;
  REQUIRE(edmund_run(prepared(), command).code == 0);
  const double seconds = watch.seconds();
  json whole = json::parse(bytes(prepared() / "runs/small/likelihood.json"));
  std::mt19937 random(8);
  CHECK(run_interrupted(command, seconds, random, true) > 0);
  json often = json::parse(bytes(prepared() / "runs/small/likelihood.json"));
  strip(whole), strip(often);
  CHECK(often == whole);
}

TEST_CASE("metrics and samples of a training are the same however often it is interrupted", "[app][slow]") {
  const std::string train =
      "train config.yaml training.images=4800 training.checkpoint_every=320 training.log_every=240 "
      "training.samples_every=1600 --run ";
  prepared();
  const Stopwatch watch;
  REQUIRE(edmund_run(prepared(), train + "steady").code == 0);
  const double seconds = watch.seconds();
  std::mt19937 random(9);
  CHECK(run_interrupted(train + "shaken", seconds, random, true) > 0);
  CHECK(bytes(prepared() / "shaken/metrics.jsonl") == bytes(prepared() / "steady/metrics.jsonl"));
  for (const char* file :
       {"images/samples-000000004800.png", "images/trajectory.png", "checkpoints/000000004800/ema.safetensors",
        "checkpoints/000000004800/optimizer.safetensors"})
    CHECK(bytes(prepared() / "shaken" / file) == bytes(prepared() / "steady" / file));
  const std::vector<std::string> events = events_of(prepared() / "steady"), others = events_of(prepared() / "shaken");
  CHECK(events == others);
  CHECK(std::ranges::any_of(
      events, [](const std::string& event) { return event.find("training/loss at sigma") != event.npos; }));
  CHECK(
      std::ranges::any_of(events, [](const std::string& event) { return event.find("gradient_norm") != event.npos; }));
}

}  // namespace
}  // namespace edmund::testing
