#include "edmund/core/folder_lock.h"

#include "descriptor.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "host.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace edmund {
namespace fs = std::filesystem;
namespace {

/// Who wrote a lock file.
struct Owner {
  std::string process, host, since, start, doing;
  std::string text() const {
    return format("process {}\nhost {}\nsince {}\nstart {}\ndoing {}\n", process, host, since, start, doing);
  }
};

/// When a process of this host started, in clock ticks since it was booted: tells it from a later
/// one of the same number. Empty if there is none.
std::string start_of(const std::string& process) {
  std::error_code error;
  const fs::path file = fs::path("/proc") / process / "stat";
  if (process.empty() || !fs::exists(file, error)) return "";
  std::string text;
  try {
    text = read_file(file);
  } catch (const Error&) {
    return "";  // it has ended in between
  }
  // The name, second and in brackets, may hold anything; the start is the 22nd field.
  std::size_t at = text.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = text.find(' ', at + 1);
  if (at == std::string::npos) return "";
  return text.substr(at + 1, text.find(' ', at + 1) - at - 1);
}

Owner own(std::string_view doing) {
  const std::string process = std::to_string(::getpid());
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  char since[32] = {};
  if (::localtime_r(&now, &parts)) std::strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S", &parts);
  return {process, host_name(), since, start_of(process), std::string(doing)};
}

/// What the file says; nothing if it is empty or no such file.
std::optional<Owner> owner_in(int descriptor) {
  char buffer[2048];
  const ssize_t count = ::pread(descriptor, buffer, sizeof buffer, 0);
  const std::string text = as_utf8({buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0))});
  const auto field = [&](const std::string& key) {
    const std::size_t at = text.starts_with(key + " ") ? 0 : text.find("\n" + key + " ");
    if (at == std::string::npos) return std::string();
    const std::size_t begin = text.find(' ', at) + 1;
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  Owner out = {field("process"), field("host"), field("since"), field("start"), field("doing")};
  if (out.process.empty() || out.process.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return out;
}

/// For file systems without locks: whether the process that is named may still run.
bool may_live(const Owner& owner) {
  if (owner.host != host_name()) return true;
  const std::string start = start_of(owner.process);
  return !start.empty() && (owner.start.empty() || owner.start == start);
}

[[noreturn]] void refuse(const fs::path& folder, const fs::path& file, const std::optional<Owner>& owner,
                         std::string_view doing, bool is_locked) {
  if (!owner) fail("{}: is being {} by another process ({} is locked)", folder, doing, file);
  fail("{}: is being {} by process {} on {} (since {}){}", folder, owner->doing, owner->process, owner->host,
       owner->since, is_locked ? "" : format("; if it is gone, delete {}", file));
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder, std::string_view doing)
    : file_(folder / ".lock"), made_(file_system().status(folder).kind == FileStatus::Kind::kMissing) {
  make_folder(folder);
  while (true) {
    Descriptor file(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!file.is_open()) fail_with_reason("cannot lock the folder", file_);
    const bool is_locked = ::flock(file.number(), LOCK_EX | LOCK_NB) == 0;
    if (!is_locked && errno == EINTR) continue;
    const bool is_taken = !is_locked && errno == EWOULDBLOCK;
    const std::optional<Owner> before = owner_in(file.number());
    if (is_taken || (!is_locked && before && may_live(*before))) refuse(folder, file_, before, doing, is_taken);
    // Its former owner may have deleted it after we opened it: then the lock is on nothing.
    struct stat here = {}, there = {};
    if (::fstat(file.number(), &here) != 0 || ::stat(file_.c_str(), &there) != 0 || here.st_ino != there.st_ino ||
        here.st_dev != there.st_dev)
      continue;
    if (before)
      log::info("{}: was being {} by process {} on {} (since {}), which is gone: taken over", folder, before->doing,
                before->process, before->host, before->since);
    const std::string text = own(doing).text();
    if (::ftruncate(file.number(), 0) != 0 ||
        ::pwrite(file.number(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
      fail_with_reason("cannot write", file_);
    descriptor_ = file.release();
    return;
  }
}

FolderOwner folder_owner(const fs::path& folder) {
  const fs::path path = folder / ".lock";
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.is_open()) return {};
  const std::optional<Owner> owner = owner_in(file.number());
  if (!owner) return {};
  return {.text = format("{} by process {} on {} (since {})", owner->doing, owner->process, owner->host, owner->since),
          .holds = may_live(*owner)};
}

FolderLock::~FolderLock() {
  ::unlink(file_.c_str());  // still ours: nobody else can hold the lock
  // where nothing came of it: a folder with files stays
  if (made_) ::rmdir(file_.parent_path().c_str());
  ::close(descriptor_);
}

}  // namespace edmund
