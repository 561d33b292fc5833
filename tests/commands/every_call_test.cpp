// A training that is killed before any one of its calls that change something on the disk, or in
// which any one of them fails: what it goes on to is the uninterrupted run, and nothing is left
// over. EDMUND_EVERY_CALL=1 takes all of them and six reasons to fail, in place of a few.
#include "edmund/core/format.h"
#include "run_results.h"
#include "support/catch.h"
#include "support/process.h"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTrain = "train config.yaml training.samples_every=48 training.log_every=32 --run ";

// What its writer would have renamed or deleted.
std::vector<std::string> left_over(const fs::path& run) {
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(run))
    if (const std::string name = entry.path().filename().string(); name.starts_with('.') && name != ".lock")
      out.push_back(fs::relative(entry.path(), run).string());
  return out;
}

struct Prepared {
  TemporaryFolder folder;
  long calls = 0;  // of the uninterrupted training that change something on the disk
  RunResults expected;

  Prepared() {
    write_idx_data(folder.path());
    write_text(folder.path() / "config.yaml", small_config());
    const Outcome outcome = with("DISK_CALLS_COUNT=calls", "whole");
    INFO(outcome.output);
    REQUIRE(outcome.code == 0);
    std::ifstream(folder.path() / "calls") >> calls;
    REQUIRE(calls > 60);
    expected = results_of(folder.path() / "whole");
    REQUIRE(expected.size() > 10);
  }

  // A training whose calls are watched.
  Outcome with(const std::string& settings, const std::string& run) const {
    return edmund_run(folder.path(), kTrain + run,
                      format("env OMP_NUM_THREADS=1 LD_PRELOAD={} DISK_CALLS_BELOW={} {} {}", EDMUND_DISK_CALLS,
                             (folder.path() / run).string(), settings, EDMUND_BINARY));
  }

  // The same command until it is done, then what there is. `kept`: of what is to be the same.
  template <typename Kept = std::identity>
  void check_goes_on(const std::string& run, const Kept& kept = {}) const {
    const Outcome outcome = edmund_run(folder.path(), kTrain + run, format("env OMP_NUM_THREADS=1 {}", EDMUND_BINARY));
    INFO(outcome.output);
    REQUIRE(outcome.code == 0);
    CHECK(differences(kept(results_of(folder.path() / run)), kept(expected)) == "");
    CHECK(left_over(folder.path() / run) == std::vector<std::string>());
    fs::remove_all(folder.path() / run);
  }
};

bool every() { return std::getenv("EDMUND_EVERY_CALL") != nullptr; }

}  // namespace

TEST_CASE("a training killed before any change of the disk goes on as if it had not been", "[commands][slow]") {
  const Prepared prepared;
  for (long call = 1; call <= prepared.calls; call += every() ? 1 : 13) {
    INFO("before call " << call << " of " << prepared.calls);
    CHECK(prepared.with(format("DISK_CALLS_KILL={}", call), "killed").code != 0);
    prepared.check_goes_on("killed");
  }
}

TEST_CASE("a training in which any change of the disk fails loses nothing", "[commands][slow]") {
  const Prepared prepared;
  std::vector<int> errors{ENOSPC, EIO, EROFS, EACCES, EDQUOT, EMFILE};
  for (std::size_t i = 0; i < errors.size(); ++i)
    for (long call = every() ? 1 : 1 + 14 * static_cast<long>(i); call <= prepared.calls; call += every() ? 1 : 83) {
      INFO("call " << call << " of " << prepared.calls << ", error " << errors[i]);
      const Outcome outcome =
          prepared.with(format("DISK_CALLS_FAIL={} DISK_CALLS_ERROR={}", call, errors[i]), "failed");
      INFO(outcome.output);
      // done in spite of it; the disk did not take a checkpoint, or what must be there at the start
      CHECK((outcome.code == 0 || outcome.code == 74 || outcome.code == 2));
      prepared.check_goes_on("failed", with_last_checkpoints);
    }
}

}  // namespace edmund::testing
