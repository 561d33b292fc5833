// What a crash can leave of the checkpoints of a run, enumerated: every position in a sequence of
// saves, replacements and deletions, with all that was not synced kept, dropped, torn or reordered.

#include "crashes.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/training/checkpoint.h"
#include "support/catch.h"
#include "support/memory_file_system.h"

#include <memory>
#include <string>
#include <vector>

using namespace edmund;
using namespace edmund::testing;
using namespace edmund::testing::crashes;
namespace fs = std::filesystem;

namespace {

/// A training's saves and deletions, and what they are to leave.
struct Step {
  std::size_t end = 0;                 // changes of the file system when it is done
  std::int64_t before = 0, after = 0;  // versions
};

std::vector<Step> train(MemoryFileSystem& system) {
  const FileSystemScope scope(system);
  std::vector<Step> steps;
  std::int64_t version = 0;
  const auto save = [&](std::int64_t images, std::int64_t keep) {
    save_checkpoint(checkpoint_folder(kRun, images), example(images, version + 1));
    steps.push_back({system.changes(), version, version + 1});
    ++version;
    prune_checkpoints(kRun, {.keep = keep});
    steps.push_back({system.changes(), version, version});
  };
  for (const std::int64_t images : {100, 200, 300}) save(images, 2);
  save(300, 2);  // replaced
  save(400, 1);
  save(400, 1);  // the only one, replaced
  for (const std::int64_t images : {500, 600, 700}) save(images, 3);
  save(700, 1);
  return steps;
}

struct Outcome {
  std::size_t states = 0, wrong = 0;
  std::string first;  // what was wrong
};

/// Looks at each state that a crash could leave, until one is wrong.
Outcome enumerated(MemoryFileSystem& system, const std::vector<Step>& steps, std::size_t most) {
  Outcome out;
  std::size_t step = 0;
  for (std::size_t position = 0; position <= system.changes() && out.wrong == 0; ++position) {
    while (step + 1 < steps.size() && position > steps[step].end) ++step;
    const bool done = position == steps[step].end;
    system.crashes(position, most, [&](MemoryFileSystem& left) {
      ++out.states;
      const std::int64_t version = found_in(left);
      const bool right = version == steps[step].after || (!done && version == steps[step].before);
      if (!right) {
        ++out.wrong;
        out.first = format("after {} changes: version {} of {} or {}", position, version, steps[step].before,
                           steps[step].after);
      }
      if (right && out.states % 16 == 0) {  // the run goes on from there
        const FileSystemScope scope(left);
        sweep_checkpoints(kRun);
        save_checkpoint(checkpoint_folder(kRun, 1000), example(1000, 99));
        prune_checkpoints(kRun, {.keep = 1});
        out.wrong += found_in(left) == 99 && left_over(left) == 0 ? 0 : 1;
      }
      return out.wrong == 0;
    });
  }
  return out;
}

/// No exchange of names, as over NFS.
class WithoutExchange : public MemoryFileSystem {
 public:
  std::error_code exchange(const fs::path&, const fs::path&) override {
    return std::make_error_code(std::errc::invalid_argument);
  }
};

enum class Fault {
  kNoFileSync,           // content of files is never synced
  kNoFolderSync,         // names are never synced
  kNoSyncOfCheckpoints,  // … those of the checkpoints
  kNoSyncOfParents,      // … those of the folders above
  kNoSyncOfContents,     // … those in a checkpoint
  kOneFileSynced,        // the first of a checkpoint's files alone
  kStateUnsynced,        // all but state.json
  kRenameBeforeSync,     // published first, synced then
  kDeleteBeforePublish,  // the old one deleted before the new one has its name
  kCopyForRename,        // published file by file
  kShortWrite,           // a byte less than was asked for, without a word
  kSyncAfterPruning,     // the old one deleted before the name of the new one is on the disk
  kFormerForgotten,      // no exchange of names, and who loses its name gets one that nobody knows
};

class Faulty : public MemoryFileSystem {
 public:
  explicit Faulty(Fault fault) : fault_(fault) {}

  std::error_code sync_file(const fs::path& path) override {
    if (fault_ == Fault::kNoFileSync || (fault_ == Fault::kOneFileSynced && path.filename() != "network.safetensors") ||
        (fault_ == Fault::kStateUnsynced && path.filename() == "state.json"))
      return {};
    if (fault_ == Fault::kRenameBeforeSync) return later_.push_back(path), std::error_code();
    return MemoryFileSystem::sync_file(path);
  }

  std::error_code sync_folder(const fs::path& path) override {
    const std::string name = path.filename().string();
    const bool inside = name.starts_with(".tmp-"), of_checkpoints = name == "checkpoints";
    if (fault_ == Fault::kNoFolderSync || (fault_ == Fault::kNoSyncOfCheckpoints && of_checkpoints) ||
        (fault_ == Fault::kNoSyncOfParents && !of_checkpoints && !inside) ||
        (fault_ == Fault::kNoSyncOfContents && inside))
      return {};
    if (fault_ == Fault::kSyncAfterPruning && of_checkpoints) return is_late_ = true, std::error_code();
    return MemoryFileSystem::sync_folder(path);
  }

  std::error_code rename(const fs::path& from, const fs::path& to) override {
    return renamed(from, to, MemoryFileSystem::rename(from, to));
  }

  std::error_code rename_new(const fs::path& from, const fs::path& to) override {
    if (fault_ == Fault::kCopyForRename && status(from).kind == FileStatus::Kind::kFolder) {
      make_folder(to);
      for (const std::string& name : names(from)) create(to / name, read(from / name, 1 << 20));
      remove_tree(from);
      return {};
    }
    if (fault_ == Fault::kFormerForgotten && to.filename().string().find("-former-") != std::string::npos)
      return MemoryFileSystem::rename(from, to.parent_path() / ".tmp-lost");
    return renamed(from, to, MemoryFileSystem::rename_new(from, to));
  }

  std::error_code exchange(const fs::path& a, const fs::path& b) override {
    if (fault_ == Fault::kFormerForgotten) return std::make_error_code(std::errc::invalid_argument);
    if (fault_ == Fault::kDeleteBeforePublish) return remove_tree(b), MemoryFileSystem::rename(a, b);
    return renamed(a, b, MemoryFileSystem::exchange(a, b));
  }

  std::error_code create(const fs::path& path, std::string_view bytes) override {
    return MemoryFileSystem::create(path, bytes.substr(0, bytes.size() - (fault_ == Fault::kShortWrite ? 1 : 0)));
  }

  std::error_code remove(const fs::path& path) override {
    const std::error_code error = MemoryFileSystem::remove(path);
    if (!error && is_late_ && path.parent_path().filename() == "checkpoints")
      MemoryFileSystem::sync_folder(path.parent_path()), is_late_ = false;
    return error;
  }

 private:
  std::error_code renamed(const fs::path& from, const fs::path& to, std::error_code error) {
    for (const fs::path& path : later_) MemoryFileSystem::sync_file(path == from ? to : to / path.filename());
    later_.clear();
    return error;
  }

  Fault fault_;
  std::vector<fs::path> later_;
  bool is_late_ = false;
};

/// Writes a file again and again, and looks at what a crash could leave of it.
Outcome replaced_file(MemoryFileSystem& system) {
  const fs::path file = kRun / "scores.json";
  const auto text = [](std::int64_t version) {
    return std::string(static_cast<std::size_t>(20 + 7 * version), 'a' + version);
  };
  std::vector<std::size_t> ends = {0};
  {
    const FileSystemScope scope(system);
    for (std::int64_t version = 1; version <= 6; ++version) {
      write_file(file, text(version));
      ends.push_back(system.changes());
    }
  }
  Outcome out;
  for (std::size_t version = 1; version < ends.size(); ++version)
    for (std::size_t position = ends[version - 1]; position <= ends[version] && out.wrong == 0; ++position)
      system.crashes(position, 4096, [&](MemoryFileSystem& left) {
        ++out.states;
        const bool is_there = left.status(file).kind == FileStatus::Kind::kFile;
        const std::string found = is_there ? left.read(file, 1 << 20) : "";
        const auto number = static_cast<std::int64_t>(version);
        const bool before = version == 1 ? !is_there : found == text(number - 1);
        const bool right = position == ends[version]       ? found == text(number)
                           : position == ends[version - 1] ? before
                                                           : before || found == text(number);
        out.wrong += right ? 0 : 1;
        return right;
      });
  return out;
}

}  // namespace

TEST_CASE("whatever a crash leaves of a run's checkpoints loads as the previous or the new one", "[training]") {
  const Quiet quiet;
  std::size_t states = 0;
  for (const bool exchanges : {true, false}) {
    const auto system = exchanges ? std::make_unique<MemoryFileSystem>() : std::make_unique<WithoutExchange>();
    const std::vector<Step> steps = train(*system);
    const Outcome outcome = enumerated(*system, steps, 96);
    INFO((exchanges ? "with" : "without") << " exchange of names, " << outcome.states << " states: " << outcome.first);
    CHECK(outcome.wrong == 0);
    CHECK(found_in(*system) == steps.back().after);
    states += outcome.states;
  }
  CHECK(states >= 10'000);
}

TEST_CASE("the enumeration of crashes finds each fault that is planted in the file system", "[training]") {
  const Quiet quiet;
  for (int fault = 0; fault <= static_cast<int>(Fault::kFormerForgotten); ++fault) {
    Faulty system(static_cast<Fault>(fault));
    const Outcome outcome = enumerated(system, train(system), 96);
    INFO("fault " << fault << ", " << outcome.states << " states");
    CHECK(outcome.wrong > 0);
  }
}

TEST_CASE("a file that is written again is the old or the new one after a crash", "[training]") {
  MemoryFileSystem system;
  const Outcome outcome = replaced_file(system);
  CHECK(outcome.wrong == 0);
  CHECK(outcome.states > 50);
  for (const Fault fault : {Fault::kNoFileSync, Fault::kNoFolderSync, Fault::kRenameBeforeSync, Fault::kShortWrite}) {
    Faulty faulty(fault);
    INFO("fault " << static_cast<int>(fault));
    CHECK(replaced_file(faulty).wrong > 0);
  }
}
