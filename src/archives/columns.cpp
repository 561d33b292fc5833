#include "edmund/archives/columns.h"

#include "edmund/archives/npy.h"
#include "edmund/archives/zip_archive.h"
#include "edmund/core/error.h"

#include <bit>
#include <cstring>
#include <string_view>

namespace edmund {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are read as they lie in memory");

template <typename T>
std::vector<double> numbers(std::string_view bytes) {
  std::vector<double> out;
  for (std::size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    out.push_back(static_cast<double>(value));
  }
  return out;
}

struct Type {
  std::string_view name;
  std::uint64_t size;
  std::vector<double> (*read)(std::string_view bytes);
};
constexpr Type kTypes[] = {{"<f8", 8, numbers<double>},
                           {"<f4", 4, numbers<float>},
                           {"<i8", 8, numbers<std::int64_t>},
                           {"<i4", 4, numbers<std::int32_t>}};

}  // namespace

std::map<std::string, std::vector<double>> read_columns(const std::filesystem::path& file, std::uint64_t limit) {
  constexpr std::string_view kEnding = ".npy";
  const ZipArchive archive(file);
  std::map<std::string, std::vector<double>> out;
  for (const auto& entry : archive.entries()) {
    if (!entry.name.ends_with(kEnding)) continue;
    const std::string place = format("{}/{}", file.string(), entry.name);
    const NpyHeader header = npy_header(archive.read(entry, kNpyHeaderLimit), place);
    for (const Type& type : kTypes) {
      if (header.descr != type.name || header.shape.size() != 1) continue;
      const std::uint64_t count = element_count(header, place);
      require(count <= limit, "{}: {} numbers; at most {} are read", place, count, limit);
      require(entry.size == header.data_begin + count * type.size, "{}: {} bytes, its shape needs {}", place,
              entry.size, header.data_begin + count * type.size);
      const std::string bytes = archive.read(entry, entry.size);
      out[entry.name.substr(0, entry.name.size() - kEnding.size())] =
          type.read(std::string_view(bytes).substr(header.data_begin));
    }
  }
  return out;
}

}  // namespace edmund
