// The IDX format: 0, 0, type (8 for unsigned bytes), number of dimensions; each dimension as a
// big-endian 32-bit integer; the data.

#include "edmund/io/idx_file.h"

#include "edmund/core/error.h"
#include "edmund/core/gzip_reader.h"
#include "scratch_file.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <memory>
#include <string>
#include <system_error>

namespace edmund {
namespace {

constexpr std::int64_t kByteLimit = std::int64_t{1} << 38;

// The next `size` bytes, or fewer at the end of the file. Memory grows with what is there, not with
// what is promised.
std::string next_bytes(GzipReader& file, std::int64_t size) {
  constexpr std::int64_t kChunk = 1 << 22;
  std::string out;
  while (static_cast<std::int64_t>(out.size()) < size) {
    const auto wanted = static_cast<std::size_t>(std::min(kChunk, size - static_cast<std::int64_t>(out.size())));
    const auto had = out.size();
    out.resize(had + wanted);
    const std::size_t got = file.read(out.data() + had, wanted);
    out.resize(had + got);
    if (got < wanted) break;
  }
  return out;
}

std::int64_t big32(std::string_view bytes, std::size_t at) {
  std::int64_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// An IDX file, open behind its header.
struct Idx {
  std::filesystem::path path;
  std::unique_ptr<GzipReader> file;
  std::vector<std::int64_t> sizes;
  std::int64_t total = 1;  // bytes of data
};

Idx open_idx(const std::filesystem::path& path, std::int64_t dimensions, std::string_view what) {
  std::error_code code;
  require(std::filesystem::exists(path, code), "{}: the file does not exist", path.string());
  Idx idx{.path = path, .file = std::make_unique<GzipReader>(path), .sizes = {}};
  const std::string magic = next_bytes(*idx.file, 4);
  const std::int64_t expected = 0x0800 + dimensions;
  require(magic.size() == 4, "{}: {} bytes; not an IDX file", path.string(), magic.size());
  require(big32(magic, 0) == expected,
          "{}: magic number {}, but an IDX file of {} has {} (unsigned bytes, {} dimension{})", path.string(),
          big32(magic, 0), what, expected, dimensions, dimensions == 1 ? "" : "s");
  const std::string header = next_bytes(*idx.file, 4 * dimensions);
  require(static_cast<std::int64_t>(header.size()) == 4 * dimensions, "{}: the file ends within its header",
          path.string());
  for (std::int64_t i = 0; i < dimensions; ++i) {
    const std::int64_t size = big32(header, static_cast<std::size_t>(4 * i));
    require(size > 0 && size <= kByteLimit / idx.total,
            "{}: size {} in dimension {} of the header; from 1 to {} bytes in all are read", path.string(), size, i,
            kByteLimit);
    idx.sizes.push_back(size);
    idx.total *= size;
  }
  return idx;
}

// Throws Error unless the file had as much data as its header promises, to which `more` is added.
void check_length(const Idx& idx, std::int64_t found, bool more) {
  require(found == idx.total, "{}: {} bytes of data, but the header promises {}; the file is cut short",
          idx.path.string(), found, idx.total);
  require(!more, "{}: more data than the {} bytes that the header promises", idx.path.string(), idx.total);
}

std::string all_data(const Idx& idx) {
  std::string data = next_bytes(*idx.file, idx.total);
  check_length(idx, static_cast<std::int64_t>(data.size()), !next_bytes(*idx.file, 1).empty());
  return data;
}

// Of a file that is not compressed: its own bytes.
PixelFile pixels_in_place(const Idx& idx) {
  const std::int64_t begin = 4 + 4 * std::ssize(idx.sizes);
  const auto length = static_cast<std::int64_t>(std::filesystem::file_size(idx.path)) - begin;
  check_length(idx, std::min(length, idx.total), length > idx.total);
  const auto file = std::make_shared<const OpenFile>(idx.path);
  return {.shape = idx.sizes, .bytes = [file, begin](std::uint64_t offset, std::uint64_t count) {
            return file->read(static_cast<std::uint64_t>(begin) + offset, count);
          }};
}

PixelFile unpacked_pixels(const Idx& idx) {
  constexpr std::int64_t kBlock = 1 << 22;
  const auto file = std::make_shared<ScratchFile>();
  std::int64_t found = 0;
  for (std::string block; found < idx.total; found += std::ssize(block)) {
    block = next_bytes(*idx.file, std::min(kBlock, idx.total - found));
    if (block.empty()) break;
    file->append(block);
  }
  check_length(idx, found, !next_bytes(*idx.file, 1).empty());
  return {.shape = idx.sizes,
          .bytes = [file](std::uint64_t offset, std::uint64_t count) { return file->read(offset, count); }};
}

}  // namespace

Tensor read_idx_images(const std::filesystem::path& path) {
  const Idx idx = open_idx(path, 3, "images");
  const std::string data = all_data(idx);
  Tensor images = at::empty(idx.sizes, at::kByte);
  std::ranges::copy(data, reinterpret_cast<char*>(images.data_ptr<std::uint8_t>()));
  return images;
}

PixelFile read_idx_pixels(const std::filesystem::path& path, std::uint64_t in_memory) {
  const Idx idx = open_idx(path, 3, "images");
  if (static_cast<std::uint64_t>(idx.total) > in_memory)
    return idx.file->is_compressed() ? unpacked_pixels(idx) : pixels_in_place(idx);
  const auto data = std::make_shared<const std::string>(all_data(idx));
  return {.shape = idx.sizes,
          .bytes = [data](std::uint64_t offset, std::uint64_t count) { return data->substr(offset, count); }};
}

std::vector<std::int64_t> read_idx_labels(const std::filesystem::path& path) {
  const Idx idx = open_idx(path, 1, "labels");
  const std::string data = all_data(idx);
  std::vector<std::int64_t> labels;
  labels.reserve(data.size());
  for (const char label : data) labels.push_back(static_cast<unsigned char>(label));
  return labels;
}

}  // namespace edmund
