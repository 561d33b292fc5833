#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// Writes a zip archive to a file, entry by entry, stored without compression, of any size (ZIP64
/// where it must be). Memory is that of an entry; the same content gives the same bytes. What is
/// written is no archive until finish(): it is to be given a name of its own until then.
class ZipStream {
 public:
  enum class Begin {
    kAnew,     // an empty file
    kContinue  // behind the whole entries that an interrupted writer left there, if any
  };
  /// Throws Error if the file cannot be written.
  ZipStream(std::filesystem::path path, Begin begin);
  ~ZipStream();
  ZipStream(const ZipStream&) = delete;
  ZipStream& operator=(const ZipStream&) = delete;

  /// Names of the entries so far, in their order.
  std::vector<std::string> names() const;
  /// Takes the last entry away.
  void take_back();
  void add(std::string_view name, std::string_view bytes);
  /// An entry of `size` bytes, which `next` gives part by part.
  void add(std::string_view name, std::uint64_t size, const std::function<std::string()>& next);
  /// Writes the directory, syncs the file and renames it to `to`.
  void finish(const std::filesystem::path& to);

 private:
  struct Entry {
    std::string name;
    std::uint32_t crc = 0;
    std::uint64_t size = 0, offset = 0;
  };
  void take_up();
  void cut();
  void write(std::string_view bytes);
  void write_at(std::string_view bytes, std::uint64_t offset);
  std::string read_at(std::uint64_t offset, std::uint64_t count) const;

  std::filesystem::path path_;
  int file_ = -1;
  std::uint64_t end_ = 0;  // of the last whole entry
  std::vector<Entry> entries_;
};

}  // namespace edmund
