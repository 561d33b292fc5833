#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace edmund {

/// A log that grows at its end, by whole records. What the disk does not take waits in memory, 64
/// MB of it, and goes first when it takes something again; a file that was deleted begins anew.
class AppendedFile {
 public:
  /// The file's first `bytes` stay, at most all; it is made if need be. Throws DiskError.
  AppendedFile(std::filesystem::path path, std::uint64_t bytes);

  /// Writes the record, or keeps it for later.
  void append(std::string_view record);
  /// Writes what waits. Throws DiskError where that is not taken.
  void flush();
  /// The same, and waits until it is on the disk.
  void sync();

  const std::filesystem::path& path() const { return path_; }
  /// How long the file is.
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::filesystem::path path_;
  std::uint64_t bytes_, lost_ = 0;
  std::string waiting_;
};

}  // namespace edmund
