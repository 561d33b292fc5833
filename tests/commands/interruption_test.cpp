// Long commands, interrupted by signals at random instants: they leave within a batch, and what
// they go on to is the uninterrupted result. EDMUND_INTERRUPTIONS=20 asks for so many of each
// command.
#include "edmund/core/format.h"
#include "edmund/core/stopwatch.h"
#include "run_results.h"
#include "support/catch.h"
#include "support/process.h"

#include <algorithm>
#include <cstdlib>
#include <random>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;

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

// A command that runs long; OUT stands for the folder that it writes to.
struct Long {
  std::string name, command;
  bool in_run = false;  // OUT is a run: a copy of the trained one
};

std::string named(std::string text, const std::string& name) {
  for (auto at = text.find("OUT"); at != text.npos; at = text.find("OUT")) text.replace(at, 3, name);
  return text;
}

std::string fresh_folder(const Long& work) {
  static int number = 0;
  const std::string out = format("out{}", number++);
  if (work.in_run) fs::copy(prepared() / "runs/small", prepared() / out, fs::copy_options::recursive);
  return out;
}

struct Counts {
  int interruptions = 0, kills = 0;
  double slowest = 0.0;  // seconds from a signal to the end
};

double number_behind(const std::string& text, const std::string& word) {
  const auto at = text.rfind(word);
  return at == text.npos ? 0.0 : std::stod(text.substr(at + word.size()));
}

// Starts the command, which takes `seconds` when nothing comes between, until it is done, with a
// signal after a random time each. The first comes early: the same work may be done sooner the
// second time.
Counts interrupted(const std::string& command, double seconds, std::mt19937& random) {
  Counts out;
  for (int start = 0; start < 100; ++start) {
    const char* signals[] = {"INT", "TERM", "HUP", "USR1", "KILL"};
    const std::string signal = signals[std::uniform_int_distribution<int>(0, 4)(random)];
    // from the start of the program on: each start gets somewhere
    const double earliest = start == 0 ? 0.15 : 0.3, latest = start == 0 ? 0.4 : 0.95;
    const double wait = seconds * std::uniform_real_distribution<double>(earliest, latest)(random);
    const std::string later = format("sleep {}; echo; date +sent\\ %s.%N; kill -{} $pid 2>/dev/null", wait, signal);
    const Outcome outcome = edmund_run(prepared(), command + " & pid=$!; (" + later +
                                                       ") & wait $pid; code=$?; echo; echo code $code; "
                                                       "date +ended\\ %s.%N");
    INFO(command << ", " << signal << " after " << wait << " s\n" << outcome.output);
    if (outcome.output.find("code 0\n") != std::string::npos) return out;
    ++(signal == "KILL" ? out.kills : out.interruptions);
    if (signal == "KILL") continue;
    REQUIRE(outcome.output.find("code 75\n") != std::string::npos);
    const double took = number_behind(outcome.output, "ended ") - number_behind(outcome.output, "sent ");
    out.slowest = std::max(out.slowest, took);
  }
  FAIL("100 starts did not do it: " << command);
  return out;
}

TEST_CASE("a long command gives the same however often it is interrupted", "[app][slow]") {
  const auto work = GENERATE(values<Long>({
      {"sample", "sample runs/small --images 600 --out OUT sampling.grid.steps=60"},
      {"compare", "compare compare.yaml --out OUT"},
      {"ablate", "ablate ablate.yaml --out OUT"},
      {"optimize-grid",
       "optimize-grid runs/small --steps 4 --images 32 --held-out 32 --iterations 4 --out OUT/grid.yaml"},
      {"likelihood", "likelihood OUT --images 64 sampling.grid.steps=24", true},
      {"evaluate",
       "evaluate OUT evaluation.images=200 'evaluation.features={type: classifier, epochs: 150}' "
       "sampling.grid.steps=30",
       true},
      {"stats", "stats config.yaml 'evaluation.features={type: classifier, epochs: 150}' --out OUT/real.npz"},
      {"matrix", "matrix --quick --out OUT"},
      {"train",
       "train config.yaml training.images=4800 training.checkpoint_every=320 training.log_every=240 "
       "training.samples_every=1600 --run OUT"},
  }));
  const char* asked = std::getenv("EDMUND_INTERRUPTIONS");
  const int wanted = asked != nullptr ? std::atoi(asked) : 1;
  if (asked == nullptr && work.name == "matrix") return;  // takes a minute
  if (const char* only = std::getenv("EDMUND_INTERRUPTED"); only != nullptr && only != work.name) return;
  prepared();
  const std::string whole = fresh_folder(work);
  const Stopwatch watch;
  const Outcome once = edmund_run(prepared(), named(work.command, whole));
  const double seconds = watch.seconds();
  INFO(work.name << "\n" << once.output);
  REQUIRE(once.code == 0);
  const auto expected = with_last_checkpoints(results_of(prepared() / whole));
  CHECK_FALSE(expected.empty());
  if (work.name == "train")
    for (const std::string part : {"training/loss at sigma", "gradient_norm"})
      CHECK(std::ranges::any_of(events_of(prepared() / whole),
                                [&](const std::string& event) { return event.find(part) != event.npos; }));

  std::mt19937 random(7);
  Counts total;
  int rounds = 0;
  while (total.interruptions < wanted) {
    REQUIRE(++rounds <= 20 * wanted);
    const std::string often = fresh_folder(work);
    const Counts counts = interrupted(named(work.command, often), seconds, random);
    total.interruptions += counts.interruptions;
    total.kills += counts.kills;
    total.slowest = std::max(total.slowest, counts.slowest);
    CHECK(differences(with_last_checkpoints(results_of(prepared() / often)), expected) == "");
    if (work.name == "train") CHECK(events_of(prepared() / often) == events_of(prepared() / whole));
    fs::remove_all(prepared() / often);
  }
  // a batch takes some milliseconds here; the rest is what a busy machine may add
  CHECK(total.slowest < 10.0);
  CHECK_FALSE(fs::exists(prepared() / "runs/small/.unfinished"));
  if (asked != nullptr)
    WARN(work.name << ": " << total.interruptions << " interruptions and " << total.kills << " kills in " << rounds
                   << " runs of " << seconds << " s, all the same; slowest end after " << total.slowest << " s");
}

TEST_CASE("a second Ctrl-C ends a command at once", "[app][slow]") {
  prepared();
  // The stop waits for the batch: one of a minute.
  const std::string sample =
      "sample runs/small --images 4096 --out long sampling.batch_size=4096 "
      "sampling.grid.steps=2000";
  const Outcome outcome =
      edmund_run(prepared(), sample +
                                 " & pid=$!; (sleep 2; kill -INT $pid; sleep 0.5; kill -0 $pid && echo working; "
                                 "date +sent\\ %s.%N; kill -INT $pid) & wait $pid; code=$?; date +ended\\ "
                                 "%s.%N; echo code $code");
  INFO(outcome.output);
  CHECK(outcome.output.find("working") != std::string::npos);
  CHECK(outcome.output.find("code 130\n") != std::string::npos);
  CHECK(number_behind(outcome.output, "ended ") - number_behind(outcome.output, "sent ") < 2.0);
}

}  // namespace
}  // namespace edmund::testing
