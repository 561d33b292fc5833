// selftest and doctor: they say that all is well where it is, and what is wrong where something is.
#include "selftest.h"

#include "edmund/core/file_system.h"
#include "edmund/core/stopwatch.h"
#include "support/catch.h"
#include "support/process.h"

#include <nlohmann/json.hpp>

namespace edmund::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const json* finding(const json& all, const std::string& what) {
  for (const json& each : all)
    if (each["what"].get<std::string>().find(what) != std::string::npos) return &each;
  return nullptr;
}

}  // namespace

TEST_CASE("selftest finds every promise kept here, within half a minute", "[commands]") {
  const TemporaryFolder folder;
  const Stopwatch watch;
  const Outcome outcome = edmund_run(folder.path(), "selftest --json");
  INFO(outcome.output);
  CHECK(outcome.code == 0);
  CHECK(watch.seconds() < 30.0);
  const json found = json::parse(outcome.output.substr(outcome.output.find("[\n")));
  CHECK(found.size() == self_tests().size());
  for (const json& promise : found) CHECK(promise["kept"] == true);
  CHECK(fs::is_empty(folder.path()));
}

namespace {

/// The system's files, on which a name that is taken is none.
class Careless : public FileSystem {
 public:
  explicit Careless(FileSystem& system) : system_(system) {}
  FileStatus status(const fs::path& path) override { return system_.status(path); }
  std::vector<std::string> names(const fs::path& folder) override { return system_.names(folder); }
  std::string read(const fs::path& path, std::uint64_t limit) override { return system_.read(path, limit); }
  std::string read_at(const fs::path& path, std::uint64_t offset, std::uint64_t count) override {
    return system_.read_at(path, offset, count);
  }
  std::error_code create(const fs::path& path, std::string_view bytes) override { return system_.create(path, bytes); }
  std::error_code extend(const fs::path& path, std::uint64_t offset, std::string_view bytes) override {
    return system_.extend(path, offset, bytes);
  }
  std::error_code overwrite(const fs::path& path, std::uint64_t offset, std::string_view bytes) override {
    return system_.overwrite(path, offset, bytes);
  }
  std::error_code sync_file(const fs::path& path) override { return system_.sync_file(path); }
  std::error_code sync_folder(const fs::path& path) override { return system_.sync_folder(path); }
  std::error_code make_folder(const fs::path& path) override { return system_.make_folder(path); }
  std::error_code rename(const fs::path& from, const fs::path& to) override { return system_.rename(from, to); }
  std::error_code rename_new(const fs::path& from, const fs::path& to) override { return system_.rename(from, to); }
  std::error_code exchange(const fs::path& a, const fs::path& b) override { return system_.exchange(a, b); }
  std::error_code remove(const fs::path& path) override { return system_.remove(path); }

 private:
  FileSystem& system_;
};

}  // namespace

TEST_CASE("selftest finds a file system that takes a name away", "[commands]") {
  const TemporaryFolder folder;
  Careless careless(file_system());
  const FileSystemScope scope(careless);
  for (const SelfTest& test : self_tests())
    if (test.promise.find("saved") != std::string_view::npos)
      CHECK(test.broken(folder.path()) == "a name that is taken is not refused");
}

TEST_CASE("doctor tells of space, limits, owners and what was left over", "[commands]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const auto doctor = [&](const std::string& arguments) {
    const Outcome outcome = edmund_run(folder.path(), "doctor --json " + arguments);
    INFO(outcome.output);
    REQUIRE(outcome.code == 0);
    return json::parse(outcome.output);
  };
  const json before = doctor("");
  for (const char* what : {"space for runs", "$TMPDIR", "disk", "open files", "bytes of a file", "bytes of memory"})
    CHECK(finding(before, what) != nullptr);
  CHECK(finding(before, "run ") == nullptr);

  const Outcome killed = edmund_run(folder.path(),
                                    "train config.yaml training.images=1e6 2>/dev/null & pid=$!; while ! [ -d "
                                    "runs/small/checkpoints/000000000032 ]; do sleep 0.02; done; " +
                                        std::string(EDMUND_BINARY) + " doctor --json; kill -9 $pid; wait $pid");
  const json living = json::parse(killed.output.substr(0, killed.output.rfind(']') + 1));
  REQUIRE(finding(living, "runs/small") != nullptr);
  CHECK((*finding(living, "runs/small"))["state"].get<std::string>().starts_with("being trained by process "));
  CHECK((*finding(living, "runs/small"))["advice"] == "");

  fs::create_directories(folder.path() / "runs/small/checkpoints/.tmp-000000000999-new-1");
  for (const char* argument : {"", "runs/small"}) {
    const json after = doctor(argument);
    REQUIRE(finding(after, "runs/small") != nullptr);
    CHECK((*finding(after, "runs/small"))["state"].get<std::string>().starts_with("was being trained by process "));
    CHECK(after.dump().find("unfinished checkpoints") != std::string::npos);
  }
  const json limited =
      json::parse(edmund_run(folder.path(), "", format("ulimit -f 1000; {} doctor --json", EDMUND_BINARY)).output);
  CHECK((*finding(limited, "bytes of a file"))["advice"] != "");
}

}  // namespace edmund::testing
