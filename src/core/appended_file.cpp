#include "edmund/core/appended_file.h"

#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"

#include <algorithm>
#include <utility>

namespace edmund {
namespace {

constexpr std::size_t kMostWaiting = std::size_t{64} << 20;  // bytes

}  // namespace

AppendedFile::AppendedFile(std::filesystem::path path, std::uint64_t bytes)
    : path_(std::move(path)), bytes_(std::min(bytes, file_system().status(path_).bytes)) {
  if (path_.has_parent_path()) make_folder(path_.parent_path());
  require_done(file_system().extend(path_, bytes_, ""), "cannot write", path_);
}

void AppendedFile::append(std::string_view record) {
  if (waiting_.size() + record.size() <= kMostWaiting)
    waiting_ += record;
  else
    lost_ += record.size();
  try {
    flush();
  } catch (const DiskError&) {  // flush() tells it to who asks
  }
}

void AppendedFile::flush() {
  if (waiting_.empty()) return;
  FileSystem& system = file_system();
  if (path_.has_parent_path()) make_folder(path_.parent_path());
  bytes_ = std::min(bytes_, system.status(path_).bytes);
  require_done(system.extend(path_, bytes_, waiting_), "cannot write", path_);
  bytes_ += waiting_.size();
  waiting_.clear();
  if (lost_ > 0) log::warn("{}: {} bytes are lost that had to wait for the disk", path_, std::exchange(lost_, 0));
}

void AppendedFile::sync() {
  flush();
  require_done(file_system().sync_file(path_), "cannot write", path_);
  const auto folder = folder_of(path_);
  require_done(file_system().sync_folder(folder), "cannot write", folder);
}

}  // namespace edmund
