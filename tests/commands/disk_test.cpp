// Trainings whose disk is full, gone for a while or taken away: none is lost, and what they go on
// to is the uninterrupted run. Needs `unshare -m` (a small disk of its own); cases say where it is
// not allowed.
#include "edmund/core/format.h"
#include "support/catch.h"
#include "support/process.h"

#include <map>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;

/// Runs a shell script in a mount namespace of its own, in a folder with data and a config; $E is
/// the program.
Outcome scripted(const fs::path& folder, const std::string& script) {
  write_text(folder / "script.sh", format("E='{}'\n", EDMUND_BINARY) + script);
  return edmund_run(folder, "", "unshare -m sh ./script.sh");
}

bool has_mounts(const fs::path& folder) {
  const bool allowed = scripted(folder, "mkdir m && mount -t tmpfs none m").code == 0;
  if (!allowed) WARN("no mount namespace is allowed here: not tested");
  return allowed;
}

/// A folder with data, config and the uninterrupted run, whole/.
struct Prepared {
  TemporaryFolder folder;
  Prepared() {
    write_idx_data(folder.path());
    write_text(folder.path() / "config.yaml", small_config() + "seed: 3\n");
    REQUIRE(edmund_run(folder.path(), "train config.yaml --run whole").code == 0);
  }
};

std::map<std::string, std::string> weights(const fs::path& run) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(run / "checkpoints")) {
    if (entry.path().extension() != ".safetensors") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    out[fs::relative(entry.path(), run).string()] = {std::istreambuf_iterator<char>(file), {}};
  }
  return out;
}

void check_full_disk(const Prepared& prepared, int kilobytes, int number) {
  const fs::path& folder = prepared.folder.path();
  const std::string out = format("out{}", number);
  const Outcome outcome = scripted(folder, format(R"(
mkdir -p small && mount -t tmpfs -o size={}k none small
"$E" train config.yaml training.save_patience=0 --run small/run; echo "code $?"
ls -a small/run/checkpoints 2>/dev/null | grep tmp && echo left over
mount -o remount,size=50m small
"$E" train config.yaml training.save_patience=0 --run small/run; echo "then $?"
cp -r small/run {}
)",
                                                  kilobytes, out));
  INFO(kilobytes << " KB\n" << outcome.output);
  const auto says = [&](const std::string& text) { return outcome.output.find(text) != std::string::npos; };
  // 2: not even the config could be written
  CHECK((says("code 74\n") || says("code 0\n") || (says("code 2\n") && says("No space left on device"))));
  if (says("code 74\n")) CHECK(says("No space left on device"));
  CHECK_FALSE(says("left over"));
  CHECK(says("then 0\n"));
  CHECK(weights(folder / out) == weights(folder / "whole"));
  CHECK(fs::exists(folder / out / "report.html"));
}

}  // namespace

TEST_CASE("a training on a disk that is full ends with 74, and goes on as if nothing had happened", "[commands]") {
  const Prepared prepared;
  if (!has_mounts(prepared.folder.path())) return;
  int number = 0;
  for (const int kilobytes : {40, 220, 500}) check_full_disk(prepared, kilobytes, number++);
}

TEST_CASE("a training on full disks of many sizes is never lost", "[commands][slow]") {
  const Prepared prepared;
  if (!has_mounts(prepared.folder.path())) return;
  int number = 0;
  for (const int kilobytes : {4, 16, 64, 100, 140, 180, 250, 300, 350, 400, 600, 800})
    check_full_disk(prepared, kilobytes, number++);
}

TEST_CASE("a training goes on while its disk takes nothing for a moment", "[commands]") {
  const Prepared prepared;
  const fs::path& folder = prepared.folder.path();
  if (!has_mounts(folder)) return;
  // The folder of the checkpoints is a read-only disk until the first has failed.
  const Outcome outcome = scripted(folder, R"(
mkdir -p run/checkpoints && mount -t tmpfs -o ro none run/checkpoints
"$E" train config.yaml training.images=1600 training.checkpoint_every=320 training.log_every=320 --run run &
while ! grep -q 'a checkpoint failed' run/log.txt 2>/dev/null; do sleep 0.02; done
umount run/checkpoints
wait $!; echo "code $?"
"$E" train config.yaml training.images=1600 training.checkpoint_every=320 training.log_every=320 --run other
cmp run/metrics.jsonl other/metrics.jsonl && echo same log
)");
  INFO(outcome.output);
  CHECK(outcome.output.find("code 0\n") != std::string::npos);
  CHECK(outcome.output.find("Read-only file system") != std::string::npos);
  CHECK(outcome.output.find("the disk takes it again") != std::string::npos);
  CHECK(outcome.output.find("same log") != std::string::npos);
  CHECK(weights(folder / "run") == weights(folder / "other"));
}

TEST_CASE("a training whose folder is deleted saves to a new one", "[commands]") {
  const Prepared prepared;
  const fs::path& folder = prepared.folder.path();
  const Outcome outcome = scripted(folder, R"(
"$E" train config.yaml training.images=1600 training.checkpoint_every=320 --run run &
while ! ls run/checkpoints/000000000320 >/dev/null 2>&1; do sleep 0.02; done
rm -rf run
wait $!; echo "code $?"
"$E" train config.yaml training.images=1600 training.checkpoint_every=320 --run other
)");
  INFO(outcome.output);
  CHECK(outcome.output.find("code 0\n") != std::string::npos);
  CHECK(weights(folder / "run") == weights(folder / "other"));
}

}  // namespace edmund::testing
