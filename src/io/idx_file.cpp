// The IDX format: 0, 0, type (8 for unsigned bytes), number of dimensions; each dimension as a
// big-endian 32-bit integer; the data.

#include "edmund/io/idx_file.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <memory>
#include <string>
#include <system_error>
#include <zlib.h>

namespace edmund {
namespace {

constexpr std::int64_t kByteLimit = std::int64_t{1} << 32;

using File = std::unique_ptr<gzFile_s, decltype(&gzclose)>;

File opened(const std::filesystem::path& path) {
  std::error_code code;
  require(std::filesystem::exists(path, code), "{}: the file does not exist", path.string());
  require(std::filesystem::is_regular_file(path, code), "{}: not a file", path.string());
  File file(gzopen(path.c_str(), "rb"), gzclose);
  require(file != nullptr, "{}: the file cannot be opened", path.string());
  gzbuffer(file.get(), 1 << 17);
  return file;
}

// The next `size` bytes, or fewer at the end of the file. Memory grows with what is there, not with
// what is promised.
std::string next_bytes(gzFile file, std::int64_t size, const std::filesystem::path& path) {
  constexpr std::int64_t kChunk = 1 << 22;
  std::string out;
  while (static_cast<std::int64_t>(out.size()) < size) {
    const auto wanted = std::min(kChunk, size - static_cast<std::int64_t>(out.size()));
    const auto had = out.size();
    out.resize(had + static_cast<std::size_t>(wanted));
    const int got = gzread(file, out.data() + had, static_cast<unsigned>(wanted));
    int code = Z_OK;
    const char* reason = gzerror(file, &code);
    require(got >= 0 && code == Z_OK, "{}: compressed data is {}", path.string(),
            code == Z_BUF_ERROR ? "cut short" : format("damaged ({})", reason));
    out.resize(had + static_cast<std::size_t>(got));
    if (got < wanted) break;
  }
  return out;
}

std::int64_t big32(std::string_view bytes, std::size_t at) {
  std::int64_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

struct Idx {
  std::vector<std::int64_t> sizes;
  std::string data;
};

Idx read_idx(const std::filesystem::path& path, std::int64_t dimensions, std::string_view what) {
  const File file = opened(path);
  const std::string magic = next_bytes(file.get(), 4, path);
  const std::int64_t expected = 0x0800 + dimensions;
  require(magic.size() == 4, "{}: {} bytes; not an IDX file", path.string(), magic.size());
  require(big32(magic, 0) == expected,
          "{}: magic number {}, but an IDX file of {} has {} (unsigned bytes, {} dimension{})", path.string(),
          big32(magic, 0), what, expected, dimensions, dimensions == 1 ? "" : "s");
  const std::string header = next_bytes(file.get(), 4 * dimensions, path);
  require(static_cast<std::int64_t>(header.size()) == 4 * dimensions, "{}: the file ends within its header",
          path.string());
  Idx idx;
  std::int64_t total = 1;
  for (std::int64_t i = 0; i < dimensions; ++i) {
    const std::int64_t size = big32(header, static_cast<std::size_t>(4 * i));
    require(size > 0 && size <= kByteLimit / total,
            "{}: size {} in dimension {} of the header; from 1 to {} bytes in all are read", path.string(), size, i,
            kByteLimit);
    idx.sizes.push_back(size);
    total *= size;
  }
  idx.data = next_bytes(file.get(), total, path);
  const auto found = static_cast<std::int64_t>(idx.data.size());
  require(found == total, "{}: {} bytes of data, but the header promises {}; the file is cut short", path.string(),
          found, total);
  require(next_bytes(file.get(), 1, path).empty(), "{}: more data than the {} bytes that the header promises",
          path.string(), total);
  return idx;
}

}  // namespace

Tensor read_idx_images(const std::filesystem::path& path) {
  const Idx idx = read_idx(path, 3, "images");
  Tensor images = at::empty(idx.sizes, at::kByte);
  std::ranges::copy(idx.data, reinterpret_cast<char*>(images.data_ptr<std::uint8_t>()));
  return images;
}

std::vector<std::int64_t> read_idx_labels(const std::filesystem::path& path) {
  const Idx idx = read_idx(path, 1, "labels");
  std::vector<std::int64_t> labels;
  labels.reserve(idx.data.size());
  for (const char label : idx.data) labels.push_back(static_cast<unsigned char>(label));
  return labels;
}

}  // namespace edmund
