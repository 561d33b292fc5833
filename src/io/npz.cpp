#include "edmund/io/npz.h"

#include "array_types.h"
#include "edmund/archives/zip_archive.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/io/npy_array.h"
#include "scratch_file.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cstring>
#include <iterator>
#include <utf8/checked.h>

namespace edmund {
namespace {

constexpr std::int64_t kLongestText = 1 << 20;

/// UTF-8 of little-endian code points.
std::string utf8_of(std::string_view words, const std::string& place) {
  std::u32string points(words.size() / 4, U'\0');
  std::memcpy(points.data(), words.data(), 4 * points.size());
  try {
    std::string out;
    utf8::utf32to8(points.begin(), points.end(), std::back_inserter(out));
    return out;
  } catch (const utf8::invalid_code_point&) {
    fail("{}: the text is damaged", place);
  }
}

const ZipArchive::Entry* find(const ZipArchive& archive, std::string_view name) {
  const std::string file = std::string(name) + ".npy";
  const auto& entries = archive.entries();
  const auto found = std::ranges::find(entries, file, &ZipArchive::Entry::name);
  return found == entries.end() ? nullptr : &*found;
}

}  // namespace

NpzFile::NpzFile(const std::filesystem::path& path) : path_(path), archive_(std::make_shared<const ZipArchive>(path)) {}
NpzFile::~NpzFile() = default;

bool NpzFile::has(std::string_view name) const { return find(*archive_, name) != nullptr; }

std::string NpzFile::where(std::string_view name) const { return format("{}/{}", path_.string(), name); }

NpyHeader NpzFile::header(std::string_view name) const {
  const auto* entry = find(*archive_, name);
  std::string known;
  for (const auto& other : archive_->entries()) known += (known.empty() ? "" : ", ") + other.name;
  require(entry != nullptr, "{}: no array '{}'; there are {}", path_.string(), name, known.empty() ? "none" : known);
  return npy_header(archive_->read(*entry, kNpyHeaderLimit), where(name));
}

// The header was read alone: a size that its shape does not need is refused before memory is taken.
std::string NpzFile::data(std::string_view name, const NpyHeader& header, std::uint64_t element_size,
                          std::uint64_t limit) const {
  const auto* entry = find(*archive_, name);
  const std::string place = where(name);
  const std::uint64_t size = element_count(header, place) * element_size;
  require(size <= limit, "{}: {} bytes, more than the {} that are allowed here", place, size, limit);
  require(entry->size == header.data_begin + size, "{}: {} bytes, its shape needs {}", place, entry->size,
          header.data_begin + size);
  return archive_->read(*entry, entry->size).substr(header.data_begin);
}

Tensor NpzFile::array(std::string_view name, std::uint64_t limit) const {
  const NpyHeader about = header(name);
  const at::ScalarType type = type_of(about, where(name));
  const std::string bytes = data(name, about, c10::elementSize(type), limit);
  return array_from(about, bytes, where(name));
}

PixelFile NpzFile::pixels(std::string_view name, std::uint64_t in_memory) const {
  const NpyHeader about = header(name);
  const std::string place = where(name);
  require(about.descr == "|u1" && !about.fortran_order, "{}: an array of type '{}'{}, expected bytes (|u1) in C order",
          place, about.descr, about.fortran_order ? " in Fortran order" : "");
  const auto& entry = *find(*archive_, name);
  const std::uint64_t begin = about.data_begin, size = element_count(about, place);
  require(entry.size == begin + size, "{}: {} bytes, its shape needs {}", place, entry.size, begin + size);
  if (size <= in_memory) {
    const auto bytes = std::make_shared<const std::string>(archive_->read(entry, entry.size));
    return {.shape = about.shape, .bytes = [bytes, begin](std::uint64_t offset, std::uint64_t count) {
              return bytes->substr(begin + offset, count);
            }};
  }
  if (entry.stored) {
    archive_->stream(entry, [](std::string_view) {});
    return {.shape = about.shape,
            .bytes = [archive = archive_, entry, begin](std::uint64_t offset, std::uint64_t count) {
              return archive->read_at(entry, begin + offset, count);
            }};
  }
  const auto file = std::make_shared<ScratchFile>();
  archive_->stream(entry, [&](std::string_view block) { file->append(block); });
  return {.shape = about.shape, .bytes = [file, begin](std::uint64_t offset, std::uint64_t count) {
            return file->read(begin + offset, count);
          }};
}

std::string NpzFile::text(std::string_view name) const {
  const NpyHeader about = header(name);
  const std::string place = where(name);
  const bool points = about.descr.starts_with("<U");
  const auto length = parse_integer(about.descr.substr(std::min<std::size_t>(about.descr.size(), 2)));
  require((points || about.descr.starts_with("|S")) && length && *length >= 0 && *length <= kLongestText &&
              element_count(about, place) == 1,
          "{}: not a single text but '{}'", place, about.descr);
  const std::string raw = data(name, about, static_cast<std::uint64_t>(*length) * (points ? 4 : 1), kLongestText * 4);
  std::string out = points ? utf8_of(raw, place) : raw;
  return out.substr(0, out.find_last_not_of('\0') + 1);  // NumPy pads with zeros
}

std::string npz_bytes(const std::vector<std::pair<std::string, Tensor>>& arrays,
                      const std::map<std::string, std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& [name, tensor] : arrays) files.emplace_back(name + ".npy", npy_bytes(tensor));
  for (const auto& [name, text] : texts) files.emplace_back(name + ".npy", npy_text(text));
  return zip_bytes(files);
}

}  // namespace edmund
