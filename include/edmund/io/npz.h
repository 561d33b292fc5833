#pragma once

#include "edmund/core/tensor.h"
#include "edmund/io/pixel_file.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

class ZipArchive;
struct NpyHeader;

/// Reads NumPy's .npz files: a zip archive of .npy arrays. Entries are read on demand, so that
/// large ones which no one asks for cost nothing; every header, size and type is checked before
/// memory is taken. Pickled objects are refused: no code is ever loaded.
class NpzFile {
 public:
  /// Throws Error for files that are no zip archives or are damaged.
  explicit NpzFile(const std::filesystem::path& path);
  ~NpzFile();

  bool has(std::string_view name) const;
  /// Numbers (f2 f4 f8, i1 i2 i4 i8, u1, b1; little-endian, C or Fortran order) as a C-ordered
  /// tensor. Throws Error, naming file and array, for one that is missing, of another type, damaged
  /// or above `limit` bytes.
  Tensor array(std::string_view name, std::uint64_t limit = 1ull << 30) const;
  /// An array of bytes (u1, C order) of any size: not held in memory if it has more bytes than
  /// `in_memory`. Its checksum is compared here, in one pass. Throws Error as array() does.
  PixelFile pixels(std::string_view name, std::uint64_t in_memory = kPixelsInMemory) const;
  /// A single text, of bytes (S) or code points (U), as UTF-8.
  std::string text(std::string_view name) const;

 private:
  std::string where(std::string_view name) const;
  NpyHeader header(std::string_view name) const;
  std::string data(std::string_view name, const NpyHeader& header, std::uint64_t element_size,
                   std::uint64_t limit) const;
  std::filesystem::path path_;
  std::shared_ptr<const ZipArchive> archive_;
};

/// The bytes of an .npz file, uncompressed, which numpy.load reads without pickle: arrays under
/// their names, and texts as single byte strings (S). The same content gives the same bytes.
std::string npz_bytes(const std::vector<std::pair<std::string, Tensor>>& arrays,
                      const std::map<std::string, std::string>& texts = {});

}  // namespace edmund
