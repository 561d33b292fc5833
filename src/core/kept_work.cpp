#include "edmund/core/kept_work.h"

#include "edmund/core/error.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <optional>
#include <system_error>

namespace edmund {
namespace {

namespace fs = std::filesystem;

// A piece in the file: "bytes checksum name\n", the bytes, "\n". The checksum is of name and bytes.
std::string record_of(const std::string& name, const std::string& bytes) {
  return format("{} {} {}\n", bytes.size(), checksum(name + '\n' + bytes), name) + bytes + '\n';
}

struct Record {
  std::string name, bytes;
  std::size_t end = 0;  // position behind it
};

// The whole and undamaged record that begins there.
std::optional<Record> record_at(const std::string& text, std::size_t begin) {
  const std::size_t line = text.find('\n', begin), space = text.find(' ', begin);
  if (line == text.npos || space == text.npos || line < space + 18) return std::nullopt;
  const auto size = parse_integer(std::string_view(text).substr(begin, space - begin));
  if (!size || *size < 0 || static_cast<std::size_t>(*size) >= text.size() - line - 1) return std::nullopt;
  Record out{.name = text.substr(space + 18, line - space - 18),
             .bytes = text.substr(line + 1, static_cast<std::size_t>(*size)),
             .end = line + 1 + static_cast<std::size_t>(*size) + 1};
  const bool whole = text.compare(space + 1, 16, checksum(out.name + '\n' + out.bytes)) == 0;
  return whole && text[out.end - 1] == '\n' ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

KeptWork::KeptWork(const fs::path& folder, std::string_view task, std::string_view identity)
    : file_(folder / ".unfinished" / format("{}-{}", task, checksum(identity))) {
  if (file_system().status(file_).kind == FileStatus::Kind::kMissing) return;
  const std::string text = read_file(file_);
  std::size_t end = 0;
  while (auto record = record_at(text, end)) {
    pieces_[record->name] = std::move(record->bytes);
    end = record->end;
  }
  if (end < text.size()) write_file(file_, std::string_view(text).substr(0, end));
  bytes_ = end;
}

std::string KeptWork::piece(const std::string& name, const std::function<std::string()>& work) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = pieces_.find(name); found != pieces_.end()) return found->second;
  }
  StopRequest::check();
  std::string bytes = work();
  const std::scoped_lock lock(mutex_);
  append(name, bytes);
  return pieces_[name] = std::move(bytes);
}

std::int64_t KeptWork::count() const {
  const std::scoped_lock lock(mutex_);
  return std::ssize(pieces_);
}

void KeptWork::append(const std::string& name, const std::string& bytes) {
  FileSystem& system = file_system();
  const std::string record = record_of(name, bytes);
  bytes_ = std::min(bytes_, system.status(file_).bytes);  // less if somebody deleted it
  make_folder(file_.parent_path());
  require_done(system.extend(file_, bytes_, record), "cannot write", file_);
  bytes_ += record.size();
}

void KeptWork::finish() {
  if (file_system().status(file_).kind != FileStatus::Kind::kMissing)
    require_done(file_system().remove(file_), "cannot delete", file_);
  // unless other work is unfinished there
  [[maybe_unused]] const std::error_code others = file_system().remove(file_.parent_path());
}

}  // namespace edmund
