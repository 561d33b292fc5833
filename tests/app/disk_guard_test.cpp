#include "disk_guard.h"

#include "edmund/core/file_system.h"
#include "edmund/core/log.h"
#include "edmund/core/stop.h"
#include "support/catch.h"

using namespace edmund;

namespace {

/// A guard with a clock of the test's own, and a disk that takes something or not.
struct Guarded {
  double now = 0.0;
  bool full = false;
  int tries = 0;
  DiskGuard guard{300.0, [this] { return now; }};

  std::function<void()> write() {
    return [this] {
      ++tries;
      if (full) throw DiskError("file: cannot write: No space left on device");
    };
  }
};

}  // namespace

TEST_CASE("what the disk does not take is no end, other errors are", "[app]") {
  log::set_level(log::Level::kOff);
  Guarded disk;
  CHECK(disk.guard.attempt("a picture", disk.write()));
  disk.full = true;
  CHECK_FALSE(disk.guard.attempt("a picture", disk.write()));
  CHECK_FALSE(disk.guard.due());  // a picture is no checkpoint
  CHECK_FALSE(disk.guard.exhausted());
  CHECK_THROWS_AS(disk.guard.attempt("a picture", [] { throw Error("a mistake"); }), Error);
  log::set_level(log::Level::kInfo);
}

TEST_CASE("a checkpoint that failed is due each minute until the patience ends", "[app]") {
  log::set_level(log::Level::kOff);
  Guarded disk;
  disk.now = 1000.0;
  disk.full = true;
  CHECK_FALSE(disk.guard.save(disk.write()));
  for (int minute = 1; minute <= 5; ++minute) {
    disk.now = 1000.0 + 60.0 * minute - 0.5;
    CHECK_FALSE(disk.guard.due());
    CHECK_FALSE(disk.guard.exhausted());
    disk.now += 0.5;
    CHECK(disk.guard.due());
    CHECK_FALSE(disk.guard.save(disk.write()));
  }
  CHECK(disk.guard.exhausted());  // 300 seconds
  disk.full = false;
  CHECK(disk.guard.save(disk.write()));
  CHECK_FALSE(disk.guard.exhausted());
  disk.now += 1e6;
  CHECK_FALSE(disk.guard.due());
  CHECK(disk.tries == 7);
  log::set_level(log::Level::kInfo);
}

TEST_CASE("the last checkpoint waits for the disk, but for nobody who wants to leave", "[app]") {
  log::set_level(log::Level::kOff);
  Guarded disk;
  // a clock that runs by being looked at
  DiskGuard hurried(150.0, [&] { return disk.now += 7.0; });
  int left = 3;
  CHECK(hurried.save(
      [&] {
        if (--left > 0) throw DiskError("full");
      },
      DiskGuard::Tries::kAll));
  CHECK(left == 0);
  disk.full = true;
  CHECK_FALSE(hurried.save(disk.write(), DiskGuard::Tries::kAll));
  CHECK(disk.tries >= 2);
  CHECK(disk.tries <= 4);

  const StopRequest stop;
  StopRequest::request();
  disk.tries = 0;
  CHECK_FALSE(disk.guard.save(disk.write(), DiskGuard::Tries::kAll));
  CHECK(disk.tries == 1);
  log::set_level(log::Level::kInfo);
}
