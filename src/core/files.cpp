#include "edmund/core/files.h"

#include "descriptor.h"
#include "edmund/core/error.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <xxhash.h>

namespace edmund {
namespace fs = std::filesystem;
namespace {

void write_all(const Descriptor& file, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file.number(), bytes.data(), std::min<std::size_t>(bytes.size(), 1 << 30));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with_reason("cannot write", path);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void sync(const Descriptor& file, const fs::path& path) {
  // Some file systems have nothing to sync a folder with, and say so.
  if (::fsync(file.number()) != 0 && errno != EINVAL && errno != ENOTSUP) fail_with_reason("cannot write", path);
}

void sync_folder(const fs::path& folder) {
  const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.is_open()) fail_with_reason("cannot open folder", folder);
  sync(file, folder);
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

/// Takes an unfinished file away unless it was kept.
class Aside {
 public:
  explicit Aside(fs::path path) : path_(std::move(path)) {}
  ~Aside() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;
  void keep() { path_.clear(); }

 private:
  fs::path path_;
};

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t limit) {
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

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  require(!error, "{}: cannot make the folder: {}", path, error.message());
  require(fs::is_directory(path, error), "{}: cannot make the folder: something else has this name", path);
}

void write_file(const fs::path& path, std::string_view bytes) {
  require(path.has_filename(), "{}: cannot write: not the name of a file", path);
  const fs::path folder = folder_of(path);
  make_folder(folder);
  struct stat status = {};
  require(::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode), "{}: cannot write: not a regular file", path);

  static std::atomic<unsigned> counter = 0;
  const fs::path aside = folder / format(".{}.{}-{}.part", path.filename(), ::getpid(), counter++);
  Descriptor file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.is_open()) fail_with_reason("cannot write", path);
  Aside unfinished(aside);
  write_all(file, bytes, path);
  sync(file, path);
  if (!file.close()) fail_with_reason("cannot write", path);
  if (::rename(aside.c_str(), path.c_str()) != 0) fail_with_reason("cannot write", path);
  unfinished.keep();
  sync_folder(folder);
}

void publish_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  require(fs::is_directory(from, error), "{}: cannot publish: not a folder", from);
  for (fs::recursive_directory_iterator at(from, error), end; !error && at != end; at.increment(error)) {
    if (at->is_directory()) {
      sync_folder(at->path());
    } else if (at->is_regular_file()) {
      sync(open_regular(at->path()), at->path());
    }
  }
  require(!error, "{}: cannot read the folder: {}", from, error.message());
  sync_folder(from);
  const fs::path parent = folder_of(to);
  make_folder(parent);
  constexpr unsigned kNoReplace = 1;  // RENAME_NOREPLACE
  long result = ::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), kNoReplace);
  // a file system that cannot promise it
  if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
    require(!fs::exists(fs::symlink_status(to, error)), "{}: cannot publish the folder: it exists", to);
    result = ::rename(from.c_str(), to.c_str());
  }
  if (result != 0) fail_with_reason("cannot publish the folder", to);
  sync_folder(parent);
}

std::string checksum(std::string_view bytes) {
  char buffer[17];
  std::snprintf(buffer, sizeof buffer, "%016llx",
                static_cast<unsigned long long>(XXH64(bytes.data(), bytes.size(), 0)));
  return buffer;
}

}  // namespace edmund
