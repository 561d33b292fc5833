#include "edmund/core/folder_lock.h"

#include "core/helpers.h"
#include "edmund/core/files.h"
#include "edmund/core/format.h"
#include "support/catch.h"

#include <sys/wait.h>
#include <unistd.h>

namespace edmund {
namespace {

using testing::contains;
using testing::contents;
using testing::error_of;
using testing::standard_error_of;
using testing::TemporaryFolder;

}  // namespace

TEST_CASE("a folder has one owner, who is named", "[core]") {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  {
    const FolderLock first(run, "trained");
    const std::string before = contents(run / ".lock");
    const std::string message = error_of([&] { const FolderLock second(run, "compared"); });
    CHECK(message.starts_with(format("{}: is being trained by process {} on ", run, ::getpid())));
    CHECK(contains(message, "(since 20"));
    CHECK(contents(run / ".lock") == before);
  }
  CHECK_FALSE(std::filesystem::exists(run));  // nothing came of it
  {
    const FolderLock used(run, "trained");
    write_file(run / "result", "");
  }
  CHECK(std::filesystem::exists(run / "result"));
  CHECK_FALSE(std::filesystem::exists(run / ".lock"));
  CHECK_NOTHROW(FolderLock(run, "trained"));
}

TEST_CASE("the folder of a process that was killed is taken over with a note", "[core]") {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    new FolderLock(folder.path(), "trained");  // NOLINT: what a kill leaves
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  REQUIRE(std::filesystem::exists(folder.path() / ".lock"));
  const std::string note = standard_error_of([&] { CHECK_NOTHROW(FolderLock(folder.path(), "trained")); });
  CHECK(contains(note, format("was being trained by process {} on ", child)));
  CHECK(contains(note, "which is gone: taken over"));
}

TEST_CASE("a lock file that says nothing is no owner, and a link is refused", "[core]") {
  const TemporaryFolder folder;
  folder.write(".lock", "");
  CHECK_NOTHROW(FolderLock(folder.path(), "trained"));
  folder.write("important", "text");
  std::filesystem::create_symlink("important", folder.path() / ".lock");
  CHECK(contains(error_of([&] { FolderLock(folder.path(), "trained"); }), ".lock: cannot lock the folder"));
  CHECK(contents(folder.path() / "important") == "text");
}

}  // namespace edmund
