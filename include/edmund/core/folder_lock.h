#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace edmund {

/// The one owner of a folder while it lives, by a lock on the file .lock in it, which says who it
/// is. The lock ends with its process, however that ends; over NFS it holds as far as the server
/// keeps locks. Where the file system knows none, what the file says decides: a process of this
/// host that is gone is no owner.
class FolderLock {
 public:
  /// Makes the folder if need be, and takes it away in the end if it is empty then. `doing`
  /// ("trained") is what is done to it. Throws Error if another process owns it: "FOLDER: is being
  /// trained by process N on HOST (since …)"; then nothing was changed. Takes over with a note what
  /// a process left that is gone.
  FolderLock(const std::filesystem::path& folder, std::string_view doing);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::filesystem::path file_;
  bool made_;  // the folder, too
  int descriptor_ = -1;
};

/// What a folder's lock says, without taking it.
struct FolderOwner {
  std::string text;    // "trained by process N on HOST (since …)"; empty: nobody
  bool holds = false;  // whether that process may still be the owner: of another host nobody knows
};
FolderOwner folder_owner(const std::filesystem::path& folder);

}  // namespace edmund
