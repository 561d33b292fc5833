// The layout is that of PKWARE's APPNOTE 6.3.10: for each entry a local header (4.3.7) and its
// bytes, then the directory (4.3.12), then where the directory lies (4.3.14 to 4.3.16).

#include "edmund/archives/zip_stream.h"

#include "edmund/core/error.h"
#include "edmund/core/file_system.h"

#include <algorithm>
#include <utility>
#include <zlib.h>

namespace edmund {
namespace {

constexpr std::uint64_t kLocalHeader = 30, kBlock = 1 << 22;
constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                        kLocator64 = 0x07064b50;
constexpr std::uint64_t kMax16 = 0xFFFF, kMax32 = 0xFFFFFFFF;

// Numbers of 2, 4 or 8 bytes, the lowest first.
class Record {
 public:
  Record& two(std::uint64_t value) { return number(value, 2); }
  Record& four(std::uint64_t value) { return number(value, 4); }
  Record& eight(std::uint64_t value) { return number(value, 8); }
  Record& text(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Record& number(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xFF);
    return *this;
  }
  std::string bytes_;
};

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  return value;
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c < 0x80; });
}

// From the version that is needed to the lengths: what both headers of an entry have in common. The
// time is 1980-01-01, so that the same content gives the same bytes.
void describe(Record& record, std::string_view name, std::uint32_t crc, std::uint64_t size, bool wide,
              std::size_t extra) {
  constexpr std::uint64_t kFirstDay = 1 << 5 | 1, kUtf8 = 1 << 11;
  const std::uint64_t shown = size >= kMax32 ? kMax32 : size;
  record.two(wide ? 45 : 20).two(is_ascii(name) ? 0 : kUtf8).two(0).two(0).two(kFirstDay);
  record.four(crc).four(shown).four(shown).two(name.size()).two(extra);
}

std::string local_header(std::string_view name, std::uint32_t crc, std::uint64_t size) {
  const bool wide = size >= kMax32;
  Record out;
  out.four(kLocal);
  describe(out, name, crc, size, wide, wide ? 20 : 0);
  out.text(name);
  if (wide) out.two(1).two(16).eight(size).eight(size);
  return out.bytes();
}

std::uint32_t crc_of(std::string_view bytes, std::uint32_t before = 0) {
  uLong crc = before;
  for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(bytes.size(), kBlock)))
    crc = crc32(crc, reinterpret_cast<const Bytef*>(bytes.data()),
                static_cast<uInt>(std::min<std::size_t>(bytes.size(), kBlock)));
  return static_cast<std::uint32_t>(crc);
}

}  // namespace

ZipStream::ZipStream(std::filesystem::path file) : file_(std::move(file)) { file_.cut(0); }

ZipStream::ZipStream(std::filesystem::path file, std::filesystem::path aside)
    : file_(std::move(file), std::move(aside)) {
  take_up();
}

std::vector<std::string> ZipStream::names() const {
  std::vector<std::string> out;
  for (const Entry& entry : entries_) out.push_back(entry.name);
  return out;
}

// Up to the first entry that is not whole.
void ZipStream::take_up() {
  FileSystem& system = file_system();
  const std::filesystem::path& path = file_.aside();
  const std::uint64_t size = system.status(path).bytes;
  std::uint64_t end = 0;
  while (size - end > kLocalHeader) {
    const std::string head = system.read_at(path, end, kLocalHeader);
    if (number_at(head, 0, 4) != kLocal) break;
    const std::uint64_t names = number_at(head, 26, 2), extra = number_at(head, 28, 2),
                        begin = end + kLocalHeader + names + extra;
    Entry entry{
        .crc = static_cast<std::uint32_t>(number_at(head, 14, 4)), .size = number_at(head, 18, 4), .offset = end};
    if (begin > size || extra != 0 || entry.size > size - begin) break;
    entry.name = system.read_at(path, end + kLocalHeader, names);
    std::uint32_t crc = 0;
    for (std::uint64_t at = 0; at < entry.size; at += kBlock)
      crc = crc_of(system.read_at(path, begin + at, std::min(kBlock, entry.size - at)), crc);
    if (crc != entry.crc) break;
    end = begin + entry.size;
    entries_.push_back(std::move(entry));
  }
  file_.cut(end);
}

void ZipStream::take_back() {
  file_.cut(entries_.back().offset);
  entries_.pop_back();
}

void ZipStream::add(std::string_view name, std::string_view bytes) {
  Entry entry{.name = std::string(name), .crc = crc_of(bytes), .size = bytes.size(), .offset = file_.bytes()};
  file_.append(local_header(name, entry.crc, entry.size).append(bytes));
  entries_.push_back(std::move(entry));
}

void ZipStream::add(std::string_view name, std::uint64_t size, const std::function<std::string()>& next) {
  Entry entry{.name = std::string(name), .size = size, .offset = file_.bytes()};
  file_.append(local_header(name, 0, size));
  for (std::uint64_t left = size; left > 0;) {
    const std::string part = next();
    require(!part.empty() && part.size() <= left, "{}: parts of another size than was promised", name);
    entry.crc = crc_of(part, entry.crc);
    file_.append(part);
    left -= part.size();
  }
  // its checksum is known only now
  file_.overwrite(entry.offset, local_header(name, entry.crc, size));
  entries_.push_back(std::move(entry));
}

void ZipStream::finish() {
  const std::uint64_t begin = file_.bytes();
  std::string directory;
  for (const Entry& entry : entries_) {
    Record extra;
    if (entry.size >= kMax32) extra.eight(entry.size).eight(entry.size);
    if (entry.offset >= kMax32) extra.eight(entry.offset);
    const std::size_t length = extra.bytes().size();
    constexpr std::uint64_t kUnix = 3 << 8, kMode = 0100644u;
    Record out;
    out.four(kCentral).two(kUnix | 45);
    describe(out, entry.name, entry.crc, entry.size, length > 0, length > 0 ? 4 + length : 0);
    out.two(0).two(0).two(0).four(kMode << 16).four(std::min(entry.offset, kMax32)).text(entry.name);
    if (length > 0) out.two(1).two(length).text(extra.bytes());
    directory += out.bytes();
  }
  const std::uint64_t size = directory.size(), count = entries_.size(), end = begin + size;
  Record out;
  if (count >= kMax16 || size >= kMax32 || begin >= kMax32) {
    out.four(kEnd64).eight(44).two(45).two(45).four(0).four(0).eight(count).eight(count).eight(size).eight(begin);
    out.four(kLocator64).four(0).eight(end).four(1);
  }
  out.four(kEnd).two(0).two(0).two(std::min(count, kMax16)).two(std::min(count, kMax16));
  out.four(std::min(size, kMax32)).four(std::min(begin, kMax32)).two(0);
  file_.append(directory + out.bytes());
  file_.finish();
}

}  // namespace edmund
