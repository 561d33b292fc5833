#pragma once

#include "edmund/core/error.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace edmund {

/// A disk that does not take what is written to it (full, read-only, gone): no mistake of the
/// config, and it may pass.
class DiskError : public Error {
 public:
  using Error::Error;
};

/// What a training ends with when the disk took no checkpoint for too long (EX_IOERR of
/// sysexits.h).
inline constexpr ExitCode kDiskFailed{74};

struct FileStatus {
  enum class Kind { kMissing, kFile, kFolder, kOther };
  Kind kind = Kind::kMissing;
  std::uint64_t bytes = 0;  // of a file
};

/// The operations on files that what is kept goes through. A change is on the disk for certain only
/// when its file (what it holds) or its folder (which names it has) is synced. Operations that
/// change something answer the system's reason where they fail, and then have changed nothing;
/// tests put another file system in the place of the system's own.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// Of what lies there, links followed; kMissing too where nobody can tell.
  virtual FileStatus status(const std::filesystem::path& path) = 0;
  /// Names in a folder, in any order; none if it cannot be read.
  virtual std::vector<std::string> names(const std::filesystem::path& folder) = 0;
  /// As read_file().
  virtual std::string read(const std::filesystem::path& path, std::uint64_t limit) = 0;
  /// `count` bytes from `offset` on, of a file that has them; else throws Error.
  virtual std::string read_at(const std::filesystem::path& path, std::uint64_t offset, std::uint64_t count) = 0;

  /// A new file of these bytes; file_exists where there is something.
  virtual std::error_code create(const std::filesystem::path& path, std::string_view bytes) = 0;
  /// Puts the bytes in place of all that a file, made if need be, holds from `offset` on, which
  /// must not lie beyond its end.
  virtual std::error_code extend(const std::filesystem::path& path, std::uint64_t offset, std::string_view bytes) = 0;
  /// Puts the bytes in place of as many that a file holds from `offset` on; where it fails, these
  /// may be a mixture of both.
  virtual std::error_code overwrite(const std::filesystem::path& path, std::uint64_t offset,
                                    std::string_view bytes) = 0;
  virtual std::error_code sync_file(const std::filesystem::path& path) = 0;
  virtual std::error_code sync_folder(const std::filesystem::path& path) = 0;
  /// In a folder that exists.
  virtual std::error_code make_folder(const std::filesystem::path& path) = 0;
  /// In the place of the file of that name, if there is one.
  virtual std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  /// file_exists where there is something of that name.
  virtual std::error_code rename_new(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  /// Each gets the other's name, at once; invalid_argument or function_not_supported where the file
  /// system has no such operation.
  virtual std::error_code exchange(const std::filesystem::path& a, const std::filesystem::path& b) = 0;
  /// A file, link or empty folder.
  virtual std::error_code remove(const std::filesystem::path& path) = 0;
};

/// The one in use: the system's own, unless a FileSystemScope lives.
FileSystem& file_system();

/// Every file operation of this process goes to another file system while it lives.
class FileSystemScope {
 public:
  explicit FileSystemScope(FileSystem& system);
  ~FileSystemScope();
  FileSystemScope(const FileSystemScope&) = delete;
  FileSystemScope& operator=(const FileSystemScope&) = delete;

 private:
  FileSystem* former_;
};

/// Throws DiskError "PATH: WHAT: reason" if there is one.
void require_done(const std::error_code& error, std::string_view what, const std::filesystem::path& path);

/// Puts a finished folder of files in place of the folder `to`, by an exchange of names, so that
/// one of the two is there at every moment. Where the file system has none, the old folder is named
/// `former` before the new one has its name. Returns where the old one is now.
std::filesystem::path replace_folder(const std::filesystem::path& from, const std::filesystem::path& to,
                                     const std::filesystem::path& former);

/// The folder in which the name of a file stands.
std::filesystem::path folder_of(const std::filesystem::path& path);

/// Deletes a file, or a folder with all that is in it, if there is one.
void remove_tree(const std::filesystem::path& path);

}  // namespace edmund
