// The layout is that of PKWARE's APPNOTE 6.3.10: for each entry a local header (4.3.7) and its
// bytes, then the directory (4.3.12), then where the directory lies (4.3.14 to 4.3.16).

#include "edmund/archives/zip_stream.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
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

ZipStream::ZipStream(std::filesystem::path path, Begin begin) : path_(std::move(path)) {
  if (path_.has_parent_path()) make_folder(path_.parent_path());
  const int flags = O_RDWR | O_CREAT | O_CLOEXEC | (begin == Begin::kAnew ? O_TRUNC : 0);
  file_ = ::open(path_.c_str(), flags, 0666);
  require(file_ >= 0, "{}: cannot write: {}", path_.string(), std::strerror(errno));
  if (begin == Begin::kContinue) take_up();
}

ZipStream::~ZipStream() {
  if (file_ >= 0) ::close(file_);
}

std::vector<std::string> ZipStream::names() const {
  std::vector<std::string> out;
  for (const Entry& entry : entries_) out.push_back(entry.name);
  return out;
}

// Up to the first entry that is not whole.
void ZipStream::take_up() {
  struct stat status = {};
  require(::fstat(file_, &status) == 0, "{}: cannot be read: {}", path_.string(), std::strerror(errno));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  while (size - end_ > kLocalHeader) {
    const std::string head = read_at(end_, kLocalHeader);
    if (number_at(head, 0, 4) != kLocal) break;
    const std::uint64_t names = number_at(head, 26, 2), extra = number_at(head, 28, 2),
                        begin = end_ + kLocalHeader + names + extra;
    Entry entry{
        .crc = static_cast<std::uint32_t>(number_at(head, 14, 4)), .size = number_at(head, 18, 4), .offset = end_};
    if (begin > size || extra != 0 || entry.size > size - begin) break;
    entry.name = read_at(end_ + kLocalHeader, names);
    std::uint32_t crc = 0;
    for (std::uint64_t at = 0; at < entry.size; at += kBlock)
      crc = crc_of(read_at(begin + at, std::min(kBlock, entry.size - at)), crc);
    if (crc != entry.crc) break;
    end_ = begin + entry.size;
    entries_.push_back(std::move(entry));
  }
  cut();
}

void ZipStream::cut() {
  require(::ftruncate(file_, static_cast<off_t>(end_)) == 0, "{}: cannot write: {}", path_.string(),
          std::strerror(errno));
}

void ZipStream::take_back() {
  end_ = entries_.back().offset;
  entries_.pop_back();
  cut();
}

void ZipStream::add(std::string_view name, std::string_view bytes) {
  Entry entry{.name = std::string(name), .crc = crc_of(bytes), .size = bytes.size(), .offset = end_};
  write(local_header(name, entry.crc, entry.size));
  write(bytes);
  entries_.push_back(std::move(entry));
}

void ZipStream::add(std::string_view name, std::uint64_t size, const std::function<std::string()>& next) {
  Entry entry{.name = std::string(name), .size = size, .offset = end_};
  write(local_header(name, 0, size));
  for (std::uint64_t left = size; left > 0;) {
    const std::string part = next();
    require(!part.empty() && part.size() <= left, "{}: parts of another size than was promised", path_.string());
    entry.crc = crc_of(part, entry.crc);
    write(part);
    left -= part.size();
  }
  write_at(local_header(name, entry.crc, size), entry.offset);  // its checksum is known only now
  entries_.push_back(std::move(entry));
}

void ZipStream::finish(const std::filesystem::path& to) {
  const std::uint64_t begin = end_;
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
    write(out.bytes());
  }
  const std::uint64_t size = end_ - begin, count = entries_.size(), end = end_;
  Record out;
  if (count >= kMax16 || size >= kMax32 || begin >= kMax32) {
    out.four(kEnd64).eight(44).two(45).two(45).four(0).four(0).eight(count).eight(count).eight(size).eight(begin);
    out.four(kLocator64).four(0).eight(end).four(1);
  }
  out.four(kEnd).two(0).two(0).two(std::min(count, kMax16)).two(std::min(count, kMax16));
  out.four(std::min(size, kMax32)).four(std::min(begin, kMax32)).two(0);
  write(out.bytes());
  const bool synced = ::fsync(file_) == 0;
  const int closed = ::close(std::exchange(file_, -1));
  std::error_code error;
  if (synced && closed == 0) std::filesystem::rename(path_, to, error);
  require(synced && closed == 0 && !error, "{}: cannot write: {}", to.string(),
          error ? error.message() : std::strerror(errno));
}

void ZipStream::write(std::string_view bytes) {
  write_at(bytes, end_);
  end_ += bytes.size();
}

void ZipStream::write_at(std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    require(done > 0, "{}: cannot write: {}", path_.string(), std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
}

std::string ZipStream::read_at(std::uint64_t offset, std::uint64_t count) const {
  std::string bytes(count, '\0');
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got = ::pread(file_, bytes.data() + at, bytes.size() - at, static_cast<off_t>(offset + at));
    if (got < 0 && errno == EINTR) continue;
    require(got > 0, "{}: cannot be read: {}", path_.string(), got < 0 ? std::strerror(errno) : "it ends too early");
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace edmund
