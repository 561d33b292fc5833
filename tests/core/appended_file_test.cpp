#include "edmund/core/appended_file.h"

#include "core/helpers.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/left_over.h"
#include "support/catch.h"

#include <sys/wait.h>
#include <unistd.h>

namespace edmund {
namespace {

using testing::contains;
using testing::contents;
using testing::error_of;
using testing::TemporaryFolder;
namespace fs = std::filesystem;

}  // namespace

TEST_CASE("a log grows by whole records from where it is to go on", "[core]") {
  const TemporaryFolder folder;
  const fs::path file = folder.write("logs/log", "one\ntwo\nthr");
  AppendedFile log(file, 8);
  CHECK(contents(file) == "one\ntwo\n");
  log.append("three\n");
  log.append("four\n");
  log.sync();
  CHECK(contents(file) == "one\ntwo\nthree\nfour\n");
  CHECK(log.bytes() == contents(file).size());
  CHECK(AppendedFile(file, 1000).bytes() == log.bytes());
  AppendedFile fresh(folder.path() / "new/deep/log", 0);
  CHECK(fs::exists(fresh.path()));
}

TEST_CASE("what the disk does not take waits, and the file has no part of it", "[core]") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "log";
  AppendedFile log(file, 0);
  log.append("one\n");
  // A folder of the file's name takes no bytes, whoever asks.
  fs::rename(file, folder.path() / "aside");
  fs::create_directory(file);
  log.append("two\n");
  log.append("three\n");
  CHECK(contains(error_of([&] { log.flush(); }), "log: cannot write: Is a directory"));
  fs::remove(file);
  fs::rename(folder.path() / "aside", file);
  log.append("four\n");
  CHECK(contents(file) == "one\ntwo\nthree\nfour\n");

  fs::remove_all(folder.path());  // all of it: it begins anew
  log.append("five\n");
  CHECK(contents(file) == "five\n");
}

TEST_CASE("files of processes that are gone are told by their names and deleted", "[core]") {
  const TemporaryFolder folder;
  const ::pid_t child = ::fork();
  if (child == 0) {  // leaves a file behind as one does that is killed
    const std::string file = folder / part_name("scores.json");
    static_cast<void>(file_system().create(file, "half"));
    ::_exit(0);
  }
  REQUIRE(child > 0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  folder.write(part_name("mine.json"), "being written");
  folder.write(".other.host.99999999-1.part", "of an unknown form");
  folder.write(".scores.json.0123abcd-999999-0.part", "of another host");
  folder.write("scores.json", "whole");
  const auto found = left_over(folder.path());
  REQUIRE(found.size() == 1);
  CHECK(contains(found.front().string(), ".scores.json."));
  delete_left_over(folder.path());
  CHECK(left_over(folder.path()).empty());
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 4);
  CHECK(left_over(folder.path() / "none").empty());
}

}  // namespace edmund
