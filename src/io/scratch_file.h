#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace edmund {

/// A file of which parts are read. The functions are thread-safe.
class OpenFile {
 public:
  /// Throws Error if it cannot be opened.
  explicit OpenFile(const std::filesystem::path& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  /// `count` bytes from `offset` on. Throws Error if there are no more.
  std::string read(std::uint64_t offset, std::uint64_t count) const;

 private:
  std::string name_;
  int file_ = -1;
};

/// A file without a name in the system's temporary folder; it is gone with the object.
class ScratchFile {
 public:
  /// Throws Error if none can be made there.
  ScratchFile();
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  void append(std::string_view bytes);
  /// As OpenFile's.
  std::string read(std::uint64_t offset, std::uint64_t count) const;

 private:
  std::string folder_;
  int file_ = -1;
};

}  // namespace edmund
