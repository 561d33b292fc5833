#include "edmund/archives/zip_archive.h"

#include "edmund/core/error.h"
#include "edmund/core/inflation.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <zip.h>

namespace edmund {

struct ZipArchive::Handle {
  std::unique_ptr<zip_t, decltype(&zip_discard)> zip{nullptr, zip_discard};
  std::mutex mutex;  // libzip reads one entry at a time
};

namespace {

std::string reason(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

// Whether one of the parts between slashes is "..", or the path is absolute.
bool leads_out(std::string_view name) {
  if (name.empty() || name.front() == '/') return true;
  for (std::size_t at = 0; at <= name.size();) {
    const auto end = std::min(name.find('/', at), name.size());
    if (name.substr(at, end - at) == "..") return true;
    at = end + 1;
  }
  return false;
}

// Throws Error for an entry that could not be read later on.
void check_entry(const zip_stat_t& stat, const std::filesystem::path& path) {
  const std::string name = stat.name;
  require(
      name.find('\\') == std::string::npos,
      "{}: entry {} has a name with a backslash, which leads out of the archive or was meant as a slash; pack it anew",
      path.string(), in_quotes(name));
  require(!leads_out(name), "{}: entry {} has a name that leads out of the archive", path.string(), in_quotes(name));
  if (name.ends_with('/')) return;
  require((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) == 0 || stat.encryption_method == ZIP_EM_NONE,
          "{}: entry {} is encrypted; pack the archive without a password", path.string(), in_quotes(name));
  require(!inflates_too_far(stat.size, (stat.valid & ZIP_STAT_COMP_SIZE) != 0 ? stat.comp_size : 0),
          "{}: entry {} would be more than {} times its compressed size, which no data is; if it is meant, pack the "
          "archive without compression",
          path.string(), in_quotes(name), kMostInflation);
  require((stat.valid & ZIP_STAT_COMP_METHOD) == 0 || zip_compression_method_supported(stat.comp_method, 0) == 1,
          "{}: entry {} is compressed by method {}, which is not read; pack the archive with deflate", path.string(),
          in_quotes(name), stat.comp_method);
}

}  // namespace

ZipArchive::ZipArchive(const std::filesystem::path& path) : path_(path), handle_(std::make_unique<Handle>()) {
  int code = 0;
  handle_->zip.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
  require(handle_->zip != nullptr, "{}: cannot be read as a zip archive: {}", path.string(), reason(code));
  const auto count = zip_get_num_entries(handle_->zip.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    const bool known = zip_stat_index(handle_->zip.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_GUESS, &stat) == 0 &&
                       (stat.valid & ZIP_STAT_NAME) != 0 && (stat.valid & ZIP_STAT_SIZE) != 0;
    require(known, "{}: entry {} of the zip archive cannot be read: {}", path.string(), i,
            zip_strerror(handle_->zip.get()));
    check_entry(stat, path);
    const std::string name = stat.name;
    if (!name.ends_with('/'))
      entries_.push_back({.name = name,
                          .index = stat.index,
                          .size = stat.size,
                          .crc = stat.crc,
                          .stored = (stat.valid & ZIP_STAT_COMP_METHOD) != 0 && stat.comp_method == ZIP_CM_STORE});
  }
  std::ranges::sort(entries_, {}, &Entry::name);
  const auto twice = std::ranges::adjacent_find(entries_, {}, &Entry::name);
  require(twice == entries_.end(), "{}: entry {} stands twice in the archive", path.string(),
          in_quotes(twice == entries_.end() ? "" : twice->name));
}

ZipArchive::~ZipArchive() = default;

// Used under the mutex.
struct ZipArchive::OpenEntry {
  std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file;
  std::string place;

  // Fills `to` and answers how many bytes there were.
  std::size_t fill(char* to, std::size_t count) const {
    std::size_t at = 0;
    while (at < count) {
      const zip_int64_t got = zip_fread(file.get(), to + at, count - at);
      require(got >= 0, "{}: damaged: {}", place, zip_file_strerror(file.get()));
      if (got == 0) break;
      at += static_cast<std::size_t>(got);
    }
    return at;
  }
};

ZipArchive::OpenEntry ZipArchive::opened(const Entry& entry) const {
  OpenEntry out{.file = {zip_fopen_index(handle_->zip.get(), entry.index, 0), zip_fclose},
                .place = format("{}/{}", path_.string(), entry.name)};
  require(out.file != nullptr, "{}: cannot be read: {}", out.place, zip_strerror(handle_->zip.get()));
  return out;
}

std::string ZipArchive::read(const Entry& entry, std::uint64_t limit) const {
  const std::lock_guard lock(handle_->mutex);
  const OpenEntry open = opened(entry);
  std::string bytes(std::min(entry.size, limit), '\0');
  const std::size_t found = open.fill(bytes.data(), bytes.size());
  // The checksum is compared when the end is reached: one byte more than the directory promises.
  char more = 0;
  const bool ends = entry.size > limit || found < bytes.size() || open.fill(&more, 1) == 0;
  require(found == bytes.size() && ends, "{}: its size is not the {} bytes of the zip directory", open.place,
          entry.size);
  return bytes;
}

void ZipArchive::stream(const Entry& entry, const std::function<void(std::string_view)>& take) const {
  constexpr std::size_t kBlock = 1 << 22;
  const std::lock_guard lock(handle_->mutex);
  const OpenEntry open = opened(entry);
  std::string block(kBlock, '\0');
  std::uint64_t total = 0;
  for (std::size_t found = kBlock; found == kBlock; total += found) {
    found = open.fill(block.data(), kBlock);
    take(std::string_view(block).substr(0, found));
  }
  require(total == entry.size, "{}: its size is not the {} bytes of the zip directory", open.place, entry.size);
}

std::string ZipArchive::read_at(const Entry& entry, std::uint64_t offset, std::uint64_t count) const {
  const std::lock_guard lock(handle_->mutex);
  const OpenEntry open = opened(entry);
  std::string bytes(count, '\0');
  require(zip_fseek(open.file.get(), static_cast<zip_int64_t>(offset), SEEK_SET) == 0 &&
              open.fill(bytes.data(), bytes.size()) == count,
          "{}: its {} bytes from {} on cannot be read", open.place, count, offset);
  return bytes;
}

}  // namespace edmund
