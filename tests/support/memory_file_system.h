#pragma once

#include "edmund/core/file_system.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace edmund::testing {

/// A file system in memory. It records every change, so that it can tell what a crash could leave
/// on a disk: a change of names is there for certain once every folder that it touches was synced
/// after it, the content of a file once the file was synced; before, each change may be there or
/// not, whatever became of the ones before it.
class MemoryFileSystem : public FileSystem {
 public:
  MemoryFileSystem();

  FileStatus status(const std::filesystem::path& path) override;
  std::vector<std::string> names(const std::filesystem::path& folder) override;
  std::string read(const std::filesystem::path& path, std::uint64_t limit) override;
  std::string read_at(const std::filesystem::path& path, std::uint64_t offset, std::uint64_t count) override;
  std::error_code create(const std::filesystem::path& path, std::string_view bytes) override;
  std::error_code extend(const std::filesystem::path& path, std::uint64_t offset, std::string_view bytes) override;
  std::error_code overwrite(const std::filesystem::path& path, std::uint64_t offset, std::string_view bytes) override;
  std::error_code sync_file(const std::filesystem::path& path) override;
  std::error_code sync_folder(const std::filesystem::path& path) override;
  std::error_code make_folder(const std::filesystem::path& path) override;
  std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  std::error_code rename_new(const std::filesystem::path& from, const std::filesystem::path& to) override;
  std::error_code exchange(const std::filesystem::path& a, const std::filesystem::path& b) override;
  std::error_code remove(const std::filesystem::path& path) override;

  /// Changes so far: positions at which a crash can come.
  std::size_t changes() const { return log_.size(); }
  /// Everything so far is on the disk: what comes before is no position of a crash.
  void settle();
  /// Calls `take` with what crashes after so many changes could leave, each tree once: all of them
  /// if there are at most `most`, else that many, drawn by a fixed seed, everything kept and
  /// everything dropped among them. Ends when `take` answers false.
  void crashes(std::size_t changes, std::size_t most, const std::function<bool(MemoryFileSystem& left)>& take) const;

 private:
  struct Node {
    bool is_folder = false;
    std::string content;
    std::map<std::string, int> entries;
  };
  struct Name {
    int folder = 0;
    std::string name;
    int node = -1;  // none: the name goes
  };
  struct Change {
    std::vector<Name> names;  // all or none of them
    int node = -1;            // of a file whose content becomes …
    std::string content;
    int synced = -1;
  };
  struct Place {
    int folder = -1;
    std::string name;
    int node = -1;
  };
  struct Pending;

  Place find(const std::filesystem::path& path) const;
  std::error_code put(Change change);
  static void apply(std::vector<Node>& nodes, const Change& change);
  Pending pending(std::size_t changes) const;

  std::vector<Node> nodes_, settled_;
  std::vector<Change> log_;
};

}  // namespace edmund::testing
