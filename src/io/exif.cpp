// EXIF (JEITA CP-3451) lies in a TIFF directory: byte order, 42, where the directory begins; the
// number of its entries; entries of 12 bytes: tag, type, count, value. Only the orientation matters
// here.

#include "exif.h"

namespace edmund {
namespace {

constexpr std::uint64_t kOrientation = 0x0112, kShort = 3;

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes), big_(bytes.starts_with("MM")) {}

  // 0 beyond the end.
  std::uint64_t number(std::size_t at, std::size_t size) const {
    if (at + size > bytes_.size()) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | static_cast<unsigned char>(bytes_[big_ ? at + i : at + size - 1 - i]);
    return value;
  }

 private:
  std::string_view bytes_;
  bool big_;
};

}  // namespace

std::int64_t exif_orientation(std::string_view tiff) {
  if (!tiff.starts_with("MM") && !tiff.starts_with("II")) return 1;
  const Reader reader(tiff);
  if (reader.number(2, 2) != 42) return 1;
  const auto directory = static_cast<std::size_t>(reader.number(4, 4));
  const auto count = static_cast<std::size_t>(reader.number(directory, 2));
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = directory + 2 + 12 * i;
    if (at + 12 > tiff.size()) break;
    if (reader.number(at, 2) != kOrientation || reader.number(at + 2, 2) != kShort) continue;
    const auto value = reader.number(at + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<std::int64_t>(value) : 1;
  }
  return 1;
}

}  // namespace edmund
