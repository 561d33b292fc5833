#pragma once

#include "edmund/core/grown_file.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// Writes a zip archive to a file, entry by entry, stored without compression, of any size (ZIP64
/// where it must be). Memory is that of an entry; the same content gives the same bytes. There is
/// no file of that name until finish(). Throws DiskError where the disk does not take something.
class ZipStream {
 public:
  explicit ZipStream(std::filesystem::path file);
  /// Written at `aside`, where it stays if it is not finished: goes on behind the whole entries
  /// that an interrupted writer left there, if any.
  ZipStream(std::filesystem::path file, std::filesystem::path aside);

  /// Names of the entries so far, in their order.
  std::vector<std::string> names() const;
  /// Takes the last entry away.
  void take_back();
  void add(std::string_view name, std::string_view bytes);
  /// An entry of `size` bytes, which `next` gives part by part.
  void add(std::string_view name, std::uint64_t size, const std::function<std::string()>& next);
  /// Writes the directory and gives the file its name.
  void finish();

 private:
  struct Entry {
    std::string name;
    std::uint32_t crc = 0;
    std::uint64_t size = 0, offset = 0;
  };
  void take_up();

  GrownFile file_;
  std::vector<Entry> entries_;
};

}  // namespace edmund
