// Checkpoints on a disk that fails: at each change, for a moment or from then on, for six reasons.

#include "crashes.h"
#include "support/catch.h"
#include "support/memory_file_system.h"

using namespace edmund;
using namespace edmund::testing;
using namespace edmund::testing::crashes;
namespace fs = std::filesystem;

namespace {

/// Answers `reason` to the changes from `first` on, `count` of them.
class Failing : public MemoryFileSystem {
 public:
  std::size_t first = 0, count = 0, asked = 0;
  std::error_code reason;

  std::error_code create(const fs::path& path, std::string_view bytes) override {
    return failed() ? reason : MemoryFileSystem::create(path, bytes);
  }
  std::error_code sync_file(const fs::path& path) override {
    return failed() ? reason : MemoryFileSystem::sync_file(path);
  }
  std::error_code sync_folder(const fs::path& path) override {
    return failed() ? reason : MemoryFileSystem::sync_folder(path);
  }
  std::error_code make_folder(const fs::path& path) override {
    return failed() ? reason : MemoryFileSystem::make_folder(path);
  }
  std::error_code rename_new(const fs::path& from, const fs::path& to) override {
    return failed() ? reason : MemoryFileSystem::rename_new(from, to);
  }
  std::error_code exchange(const fs::path& a, const fs::path& b) override {
    return failed() ? reason : MemoryFileSystem::exchange(a, b);
  }
  std::error_code remove(const fs::path& path) override {
    // To be asked for what is not there is no change.
    const bool is_there = status(path).kind != FileStatus::Kind::kMissing;
    return is_there && failed() ? reason : MemoryFileSystem::remove(path);
  }

 private:
  bool failed() {
    const std::size_t now = asked++;
    return now >= first && now - first < count;
  }
};

}  // namespace

TEST_CASE("whichever change fails, for whatever reason, a save leaves one of the two checkpoints", "[training]") {
  const Quiet quiet;
  const auto save = [](std::int64_t images, std::int64_t version) {
    save_checkpoint(checkpoint_folder(kRun, images), example(images, version));
    prune_checkpoints(kRun, {.keep = 1});
  };
  for (const std::errc code : {std::errc::no_space_on_device, std::errc::io_error, std::errc::read_only_file_system,
                               std::errc::permission_denied, std::errc::too_many_files_open, std::errc::file_too_large})
    // a new one; the same replaced
    for (const std::int64_t images : {200, 100})
      // for a moment; from then on
      for (const std::size_t count : {std::size_t{1}, std::size_t{1'000'000}}) {
        std::size_t failures = 0;
        for (std::size_t first = 0;; ++first) {
          Failing system;
          const FileSystemScope scope(system);
          save(100, 1);
          system.asked = 0, system.first = first, system.count = count, system.reason = std::make_error_code(code);
          bool saved = false, done = false;
          try {
            save_checkpoint(checkpoint_folder(kRun, images), example(images, 2));
            saved = true;
            if (count == 1) CHECK(left_over(system) == 0);
            prune_checkpoints(kRun, {.keep = 1});
            done = true;
          } catch (const DiskError& error) {
            ++failures;
            CHECK(contains(error.what(), std::make_error_code(code).message()));
            if (count == 1 && !saved) CHECK(left_over(system) == 0);
          }
          const std::int64_t found = found_in(system);
          INFO("change " << first << ", " << images << " images");
          CHECK((found == 2 || (!saved && found == 1)));
          system.count = 0;
          save(300, 3);  // the disk takes it again
          CHECK(found_in(system) == 3);
          CHECK(left_over(system) == 0);
          CHECK(system.names(kRun / "checkpoints").size() == 1);
          if (done) break;
        }
        CHECK(failures >= 12);
      }
}
