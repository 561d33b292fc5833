#include "scratch_file.h"

#include "edmund/core/error.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace edmund {
namespace {

std::string read_at(int file, std::uint64_t offset, std::uint64_t count, std::string_view name) {
  std::string bytes(count, '\0');
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got = ::pread(file, bytes.data() + at, bytes.size() - at, static_cast<off_t>(offset + at));
    if (got < 0 && errno == EINTR) continue;
    require(got >= 0, "{}: cannot be read: {}", name, std::strerror(errno));
    require(got > 0, "{}: the file has become shorter since it was opened", name);
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace

OpenFile::OpenFile(const std::filesystem::path& path)
    : name_(path.string()), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  require(file_ >= 0, "{}: the file cannot be opened: {}", name_, std::strerror(errno));
}

OpenFile::~OpenFile() { ::close(file_); }

std::string OpenFile::read(std::uint64_t offset, std::uint64_t count) const {
  return read_at(file_, offset, count, name_);
}

ScratchFile::ScratchFile() : folder_(std::filesystem::temp_directory_path().string()) {
  std::string name = folder_ + "/edmund-XXXXXX";
  file_ = ::mkstemp(name.data());
  require(file_ >= 0, "{}: cannot make a temporary file: {}; $TMPDIR names another folder", folder_,
          std::strerror(errno));
  ::unlink(name.c_str());
}

ScratchFile::~ScratchFile() { ::close(file_); }

void ScratchFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, "{}: cannot write a temporary file: {}; $TMPDIR names another folder", folder_,
            std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string ScratchFile::read(std::uint64_t offset, std::uint64_t count) const {
  return read_at(file_, offset, count, folder_);
}

}  // namespace edmund
