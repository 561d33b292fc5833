// The walk through a folder of images. Folders are told apart by device and inode, so that links
// neither lead around in circles nor count images twice.

#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "encoded.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <utility>
#include <vector>

namespace edmund {
namespace {

namespace fs = std::filesystem;

constexpr double kInterval = 10.0;  // seconds between two lines of progress

using Identity = std::pair<std::uint64_t, std::uint64_t>;  // device and inode

Identity identity(const struct stat& status) { return {status.st_dev, status.st_ino}; }

// For messages: without the slash at its end.
std::string plain(const std::string& folder) { return folder.substr(0, folder.find_last_not_of('/') + 1); }

// Names in a folder, sorted, so that the walk and its messages do not depend on the file system.
NameList names_in(const std::string& folder) {
  std::error_code code;
  NameList out;
  fs::directory_iterator at(folder, code);
  for (; !code && at != fs::directory_iterator(); at.increment(code)) out.add(at->path().filename().native());
  require(!code, "{}: the folder cannot be read: {}", plain(folder), code.message());
  out.sort();
  return out;
}

class Walk {
 public:
  explicit Walk(const fs::path& root)
      : root_(root.native()), progress_("looking through " + plain(root_), "files", 0, 0, kInterval, Progress::kBrief) {
    if (!root_.ends_with('/')) root_ += '/';
    struct stat status = {};
    require(::stat(root_.c_str(), &status) == 0, "{}: the folder cannot be read: {}", plain(root_),
            std::strerror(errno));
    std::error_code code;
    for (auto above = fs::canonical(root_, code); !code && above != above.parent_path();) {
      above = above.parent_path();
      struct stat its = {};
      if (::stat(above.c_str(), &its) == 0) above_.push_back(identity(its));
    }
    enter("", identity(status));
    require_read_once();
    if (special_ > 0)
      log::warn("{}: {} pipes, sockets or devices are left out ({} for one)", plain(root_), special_, one_special_);
    found.images.sort();
    found.others.sort();
    // of `edmund sample`: the sheet shows the other images
    if (found.others.find("samples.json") >= 0) {
      found.others.remove("samples.json");
      found.images.remove("sheet.png");
    }
  }

  FoundFiles found;

 private:
  // `folder` is "" or relative to the root and ends with a slash.
  void enter(const std::string& folder, const Identity& id) {
    above_.push_back(id);
    const NameList names = names_in(root_ + folder);
    for (std::int64_t i = 0; i < names.size(); ++i) {
      if (is_hidden(names[i])) continue;
      const std::string name = folder + std::string(names[i]);
      struct stat status = {};
      const bool known = ::stat((root_ + name).c_str(), &status) == 0;
      if (known && S_ISDIR(status.st_mode))
        meet(name, identity(status));
      else
        note(name, !known || S_ISREG(status.st_mode));  // a broken link is reported when it is read
    }
    above_.pop_back();
  }

  void meet(const std::string& name, const Identity& id) {
    if (std::ranges::find(above_, id) != above_.end()) {
      log::warn("{}: a link to a folder above it, which is read already; it is left out", root_ + name);
      return;
    }
    struct stat own = {};
    const bool is_link = ::lstat((root_ + name).c_str(), &own) == 0 && S_ISLNK(own.st_mode);
    const auto [first, fresh] = (is_link ? linked_ : folders_).emplace(id, root_ + name);
    require(fresh, "{}: the same folder as {}; its images would count twice, take one of them away", root_ + name,
            first->second);
    enter(name + '/', id);
  }

  // What links lead to may be met under its own name before or after them.
  void require_read_once() const {
    for (const auto& [id, link] : linked_) {
      const auto own = folders_.find(id);
      require(own == folders_.end(), "{}: a link to {}, which is read, too; its images would count twice, remove it",
              link, own == folders_.end() ? "" : own->second);
    }
  }

  void note(const std::string& name, bool is_file) {
    if (is_file)
      (is_image_name(name) ? found.images : found.others).add(name);
    else if (special_++ == 0)
      one_special_ = name;
    progress_.update(found.images.size() + found.others.size());
  }

  std::string root_;             // ends with a slash
  std::vector<Identity> above_;  // the folders above the root, and from there to here
  std::map<Identity, std::string> folders_, linked_;
  std::int64_t special_ = 0;
  std::string one_special_;
  Progress progress_;
};

}  // namespace

FoundFiles files_below(const fs::path& root) {
  Walk walk(root);
  return std::move(walk.found);
}

}  // namespace edmund
