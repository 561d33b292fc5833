#include "edmund/core/file_system.h"

#include "descriptor.h"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace edmund {
namespace fs = std::filesystem;
namespace {

std::error_code last_error() { return {errno, std::generic_category()}; }
std::error_code error_of(bool failed) { return failed ? last_error() : std::error_code(); }

std::error_code write_all(int file, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(file, bytes.data(), std::min<std::size_t>(bytes.size(), 1 << 30), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return last_error();
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

std::error_code sync(const fs::path& path, int flags) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!file.is_open()) return last_error();
  // Some file systems have nothing to sync a folder with, and say so.
  return error_of(::fsync(file.number()) != 0 && errno != EINVAL && errno != ENOTSUP);
}

std::error_code rename_with(const fs::path& from, const fs::path& to, unsigned flags) {
  return error_of(::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0);
}

class SystemFiles final : public FileSystem {
 public:
  FileStatus status(const fs::path& path) override {
    struct stat found = {};
    if (::stat(path.c_str(), &found) != 0) return {};
    using Kind = FileStatus::Kind;
    return {.kind = S_ISREG(found.st_mode)   ? Kind::kFile
                    : S_ISDIR(found.st_mode) ? Kind::kFolder
                                             : Kind::kOther,
            .bytes = static_cast<std::uint64_t>(found.st_size)};
  }

  std::vector<std::string> names(const fs::path& folder) override {
    std::vector<std::string> out;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
      out.push_back(at->path().filename().string());
    return out;
  }

  std::string read(const fs::path& path, std::uint64_t limit) override {
    const Descriptor file = open_regular(path);
    struct stat status = {};
    if (::fstat(file.number(), &status) != 0) fail_with_reason("cannot read", path);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    require(size <= limit, "{}: {} bytes, more than the {} that are allowed here", path, size, limit);
    std::string bytes(size, '\0');
    std::size_t done = 0;
    while (true) {  // one byte more than it had when opened tells whether it has grown since
      if (done == bytes.size()) {
        require(bytes.size() <= limit, "{}: more than the {} bytes that are allowed here", path, limit);
        bytes.resize(bytes.size() + (done == size ? 1 : bytes.size()));
      }
      const ssize_t count =
          ::read(file.number(), bytes.data() + done, std::min<std::size_t>(bytes.size() - done, 1 << 30));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_with_reason("cannot read", path);
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    require(done <= limit, "{}: more than the {} bytes that are allowed here", path, limit);
    bytes.resize(done);
    return bytes;
  }

  std::string read_at(const fs::path& path, std::uint64_t offset, std::uint64_t count) override {
    const Descriptor file = open_regular(path);
    std::string bytes(count, '\0');
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t got =
          ::pread(file.number(), bytes.data() + done, std::min<std::size_t>(bytes.size() - done, 1 << 30),
                  static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_with_reason("cannot read", path);
      require(got > 0, "{}: cannot read: it ends before byte {}", path, offset + count);
      done += static_cast<std::size_t>(got);
    }
    return bytes;
  }

  std::error_code create(const fs::path& path, std::string_view bytes) override {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file.is_open()) return last_error();
    std::error_code error = write_all(file.number(), bytes, 0);
    if (const bool closed = file.close(); !closed && !error) error = last_error();
    if (error) ::unlink(path.c_str());  // what it took is given back
    return error;
  }

  std::error_code extend(const fs::path& path, std::uint64_t offset, std::string_view bytes) override {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    struct stat status = {};
    if (!file.is_open() || ::fstat(file.number(), &status) != 0) return last_error();
    if (static_cast<std::uint64_t>(status.st_size) < offset) return std::make_error_code(std::errc::invalid_seek);
    const auto cut = [&] { return ::ftruncate(file.number(), static_cast<off_t>(offset)); };
    if (static_cast<std::uint64_t>(status.st_size) > offset && cut() != 0) return last_error();
    if (const std::error_code error = write_all(file.number(), bytes, offset)) {
      static_cast<void>(cut());  // no part of it is left; else the next one cuts
      return error;
    }
    return error_of(!file.close());
  }

  std::error_code overwrite(const fs::path& path, std::uint64_t offset, std::string_view bytes) override {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    struct stat status = {};
    if (!file.is_open() || ::fstat(file.number(), &status) != 0) return last_error();
    if (static_cast<std::uint64_t>(status.st_size) < offset + bytes.size())
      return std::make_error_code(std::errc::invalid_seek);
    if (const std::error_code error = write_all(file.number(), bytes, offset)) return error;
    return error_of(!file.close());
  }

  std::error_code sync_file(const fs::path& path) override { return sync(path, O_NONBLOCK); }
  std::error_code sync_folder(const fs::path& path) override { return sync(path, O_DIRECTORY); }
  std::error_code make_folder(const fs::path& path) override { return error_of(::mkdir(path.c_str(), 0777) != 0); }

  std::error_code rename(const fs::path& from, const fs::path& to) override {
    return error_of(::rename(from.c_str(), to.c_str()) != 0);
  }

  std::error_code rename_new(const fs::path& from, const fs::path& to) override {
    constexpr unsigned kNoReplace = 1;  // RENAME_NOREPLACE
    const std::error_code error = rename_with(from, to, kNoReplace);
    // a file system that cannot promise it
    if (error != std::errc::invalid_argument && error != std::errc::function_not_supported) return error;
    struct stat found = {};
    if (::lstat(to.c_str(), &found) == 0) return std::make_error_code(std::errc::file_exists);
    return rename(from, to);
  }

  std::error_code exchange(const fs::path& a, const fs::path& b) override {
    constexpr unsigned kExchange = 2;  // RENAME_EXCHANGE
    return rename_with(a, b, kExchange);
  }

  std::error_code remove(const fs::path& path) override { return error_of(::remove(path.c_str()) != 0); }
};

FileSystem& system_files() {
  static SystemFiles files;
  return files;
}

FileSystem* in_use = nullptr;  // set by tests alone, before they start threads

}  // namespace

FileSystem& file_system() { return in_use != nullptr ? *in_use : system_files(); }

FileSystemScope::FileSystemScope(FileSystem& system) : former_(in_use) { in_use = &system; }
FileSystemScope::~FileSystemScope() { in_use = former_; }

}  // namespace edmund
