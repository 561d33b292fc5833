#include "edmund/core/files.h"

#include "edmund/core/file_system.h"
#include "edmund/core/grown_file.h"

#include <cstdio>
#include <xxhash.h>

namespace edmund {
namespace fs = std::filesystem;
namespace {

using Kind = FileStatus::Kind;

// All that a folder holds, then itself.
void sync_all(const fs::path& folder) {
  FileSystem& system = file_system();
  for (const std::string& name : system.names(folder)) {
    const fs::path path = folder / name;
    const Kind kind = system.status(path).kind;
    if (kind == Kind::kFolder) sync_all(path);
    if (kind == Kind::kFile) require_done(system.sync_file(path), "cannot write", path);
  }
  require_done(system.sync_folder(folder), "cannot write", folder);
}

}  // namespace

void require_done(const std::error_code& error, std::string_view what, const fs::path& path) {
  if (error) throw DiskError(format("{}: {}: {}", path, what, error.message()));
}

std::string read_file(const fs::path& path, std::uint64_t limit) { return file_system().read(path, limit); }

void make_folder(const fs::path& path) {
  FileSystem& system = file_system();
  if (!path.empty() && !path.has_filename() && path.has_parent_path() && path != path.parent_path())
    return make_folder(path.parent_path());  // "a/b/"
  const auto is_there = [&] { return system.status(path).kind == Kind::kFolder; };
  if (is_there()) return;
  if (path.has_parent_path()) make_folder(path.parent_path());
  std::error_code error = system.make_folder(path);
  if (error == std::errc::file_exists)  // another process was faster, or it is no folder
    error = is_there() ? std::error_code() : std::make_error_code(std::errc::not_a_directory);
  require_done(error, "cannot make the folder", path);
  require_done(system.sync_folder(folder_of(path)), "cannot write", folder_of(path));
}

void write_file(const fs::path& path, std::string_view bytes) {
  GrownFile file(path);
  file.append(bytes);
  file.finish();
}

void publish_folder(const fs::path& from, const fs::path& to) {
  FileSystem& system = file_system();
  require(system.status(from).kind == Kind::kFolder, "{}: cannot publish: not a folder", from);
  sync_all(from);
  const fs::path parent = folder_of(to);
  make_folder(parent);
  require_done(system.rename_new(from, to), "cannot publish the folder", to);
  require_done(system.sync_folder(parent), "cannot write", parent);
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

fs::path replace_folder(const fs::path& from, const fs::path& to, const fs::path& former) {
  FileSystem& system = file_system();
  sync_all(from);
  const fs::path parent = folder_of(to);
  const std::error_code error = system.exchange(from, to);
  const bool exchanged = error != std::errc::invalid_argument && error != std::errc::function_not_supported;
  if (exchanged) {
    require_done(error, "cannot replace the folder", to);
  } else {
    remove_tree(former);
    require_done(system.rename_new(to, former), "cannot replace the folder", to);
    const std::error_code second = system.rename_new(from, to);
    if (second) static_cast<void>(system.rename_new(former, to));
    require_done(second, "cannot replace the folder", to);
  }
  const std::error_code unsynced = system.sync_folder(parent);
  // the old one is safe under its name
  if (unsynced && exchanged) static_cast<void>(system.exchange(from, to));
  require_done(unsynced, "cannot write", parent);
  return exchanged ? from : former;
}

void remove_tree(const fs::path& path) {
  FileSystem& system = file_system();
  // A link to a folder goes, not what it leads to: removing is tried first.
  const std::error_code error = system.remove(path);
  if (!error || error == std::errc::no_such_file_or_directory) return;
  if (system.status(path).kind != Kind::kFolder) require_done(error, "cannot delete", path);
  for (const std::string& name : system.names(path)) remove_tree(path / name);
  require_done(system.remove(path), "cannot delete", path);
}

std::string checksum(std::string_view bytes) {
  char buffer[17];
  std::snprintf(buffer, sizeof buffer, "%016llx",
                static_cast<unsigned long long>(XXH64(bytes.data(), bytes.size(), 0)));
  return buffer;
}

}  // namespace edmund
