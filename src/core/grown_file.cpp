#include "edmund/core/grown_file.h"

#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/left_over.h"

#include <utility>

namespace edmund {
namespace fs = std::filesystem;
namespace {

fs::path part_of(const fs::path& path) {
  require(path.has_filename(), "{}: cannot write: not the name of a file", path);
  return folder_of(path) / part_name(path.filename());
}

}  // namespace

GrownFile::GrownFile(fs::path to) : GrownFile(to, part_of(to)) { is_swept_ = true; }

GrownFile::GrownFile(fs::path to, fs::path aside) : to_(std::move(to)), aside_(std::move(aside)), is_swept_(false) {
  const FileStatus::Kind kind = file_system().status(to_).kind;
  require(kind == FileStatus::Kind::kMissing || kind == FileStatus::Kind::kFile, "{}: cannot write: not a regular file",
          to_);
  make_folder(folder_of(to_));
  make_folder(folder_of(aside_));
}

GrownFile::~GrownFile() {
  if (is_swept_) static_cast<void>(file_system().remove(aside_));
}

void GrownFile::append(std::string_view bytes) {
  require_done(file_system().extend(aside_, bytes_, bytes), "cannot write", to_);
  bytes_ += bytes.size();
}

void GrownFile::overwrite(std::uint64_t offset, std::string_view bytes) {
  require_done(file_system().overwrite(aside_, offset, bytes), "cannot write", to_);
}

void GrownFile::cut(std::uint64_t bytes) {
  require_done(file_system().extend(aside_, bytes, ""), "cannot write", to_);
  bytes_ = bytes;
}

void GrownFile::finish() {
  FileSystem& system = file_system();
  require_done(system.sync_file(aside_), "cannot write", to_);
  require_done(system.rename(aside_, to_), "cannot write", to_);
  is_swept_ = false;
  require_done(system.sync_folder(folder_of(to_)), "cannot write", to_);
}

}  // namespace edmund
