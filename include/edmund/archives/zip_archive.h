#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

/// Reads a zip file. Its directory is read once; entries are read on demand, from any thread.
/// Nothing is ever extracted to disk.
class ZipArchive {
 public:
  struct Entry {
    std::string name;
    std::uint64_t index = 0;
    std::uint64_t size = 0;  // bytes, uncompressed
    std::uint32_t crc = 0;   // CRC-32 of them, as the directory has it
    bool stored = false;     // without compression
  };

  /// Throws Error for files that are no zip archives, cut short, have names that lead out of the
  /// archive or stand twice, or entries that are encrypted or compressed in a way that is not read.
  explicit ZipArchive(const std::filesystem::path& path);
  ~ZipArchive();

  /// Files, folders left out, sorted by name.
  const std::vector<Entry>& entries() const { return entries_; }

  /// The first `limit` bytes of an entry, or all if it has no more. Throws Error, naming archive
  /// and entry, for damaged data.
  std::string read(const Entry& entry, std::uint64_t limit) const;

  /// Calls `take` with all of an entry, block by block, and compares its checksum.
  void stream(const Entry& entry, const std::function<void(std::string_view block)>& take) const;
  /// A part of an entry that is stored, read where it lies; its checksum is not compared.
  std::string read_at(const Entry& entry, std::uint64_t offset, std::uint64_t count) const;

 private:
  struct Handle;
  struct OpenEntry;
  OpenEntry opened(const Entry& entry) const;
  std::filesystem::path path_;
  std::unique_ptr<Handle> handle_;
  std::vector<Entry> entries_;
};

/// The bytes of a zip archive of these files (name, content), stored without compression. The same
/// content gives the same bytes.
std::string zip_bytes(const std::vector<std::pair<std::string, std::string>>& files);

}  // namespace edmund
