// Put in front of the C library (LD_PRELOAD), counts the calls of a process that change something
// on a disk, in all of its threads, from 1 on, and makes one of them its last or a failed one:
//   DISK_CALLS_COUNT=FILE      writes how many there were
//   DISK_CALLS_KILL=NUMBER     SIGKILL in its place
//   DISK_CALLS_FAIL=NUMBER DISK_CALLS_ERROR=ERRNO
// DISK_CALLS_BELOW=FOLDER: only calls on files below it count.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

long setting(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::atol(text) : 0;
}

std::atomic<long> calls = 0;

// Whether the call is to fail, of which errno tells.
bool counted() {
  static const long kill_at = setting("DISK_CALLS_KILL"), fail_at = setting("DISK_CALLS_FAIL");
  const long number = ++calls;
  if (number == kill_at) ::kill(::getpid(), SIGKILL);
  if (number != fail_at) return false;
  errno = static_cast<int>(setting("DISK_CALLS_ERROR"));
  return true;
}

bool below(const char* path) {
  static const char* const folder = std::getenv("DISK_CALLS_BELOW");
  if (folder == nullptr) return true;
  char whole[4096];
  if (path[0] == '/') {
    std::snprintf(whole, sizeof whole, "%s", path);
  } else {
    char here[2048];
    if (::getcwd(here, sizeof here) == nullptr) return false;
    std::snprintf(whole, sizeof whole, "%s/%s", here, path);
  }
  return std::strncmp(whole, folder, std::strlen(folder)) == 0;
}

bool below(int file) {
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = ::readlink(link, path, sizeof path - 1);
  if (length <= 0) return false;
  path[length] = '\0';
  return path[0] == '/' && below(path);
}

template <typename Call>
Call real(const char* name) {
  return reinterpret_cast<Call>(::dlsym(RTLD_NEXT, name));
}

struct AtExit {
  ~AtExit() {
    if (const char* path = std::getenv("DISK_CALLS_COUNT")) {
      if (std::FILE* file = std::fopen(path, "w")) {
        std::fprintf(file, "%ld\n", calls.load());
        std::fclose(file);
      }
    }
  }
} at_exit;

int opened(const char* name, const char* path, int flags, mode_t mode) {
  if ((flags & (O_CREAT | O_TRUNC)) != 0 && below(path) && counted()) return -1;
  static const auto call = real<int (*)(const char*, int, ...)>(name);
  return call(path, flags, mode);
}

mode_t mode_of(int flags, std::va_list arguments) {
  return (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(arguments, unsigned)) : 0;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return opened("open", path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return opened("open64", path, flags | O_LARGEFILE, mode);
}
ssize_t write(int file, const void* bytes, size_t count) {
  if (file > 2 && below(file) && counted()) return -1;
  static const auto call = real<ssize_t (*)(int, const void*, size_t)>("write");
  return call(file, bytes, count);
}
ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t offset) {
  if (below(file) && counted()) return -1;
  static const auto call = real<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return call(file, bytes, count, offset);
}
ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) { return pwrite64(file, bytes, count, offset); }
int ftruncate64(int file, off64_t length) {
  if (below(file) && counted()) return -1;
  static const auto call = real<int (*)(int, off64_t)>("ftruncate64");
  return call(file, length);
}
int ftruncate(int file, off_t length) { return ftruncate64(file, length); }
int fsync(int file) {
  if (below(file) && counted()) return -1;
  static const auto call = real<int (*)(int)>("fsync");
  return call(file);
}
int mkdir(const char* path, mode_t mode) {
  if (below(path) && counted()) return -1;
  static const auto call = real<int (*)(const char*, mode_t)>("mkdir");
  return call(path, mode);
}
int unlink(const char* path) {
  if (below(path) && counted()) return -1;
  static const auto call = real<int (*)(const char*)>("unlink");
  return call(path);
}
int remove(const char* path) {
  if (below(path) && counted()) return -1;
  static const auto call = real<int (*)(const char*)>("remove");
  return call(path);
}
int rename(const char* from, const char* to) {
  if (below(to) && counted()) return -1;
  static const auto call = real<int (*)(const char*, const char*)>("rename");
  return call(from, to);
}
// Of all that go by this door, only renameat2 changes a disk.
long syscall(long number, ...) {
  std::va_list arguments;
  va_start(arguments, number);
  long a[6];
  for (long& value : a) value = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_renameat2 && below(reinterpret_cast<const char*>(a[3])) && counted()) return -1;
  static const auto call = real<long (*)(long, ...)>("syscall");
  return call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

}  // extern "C"
