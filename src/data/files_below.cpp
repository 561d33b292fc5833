// The walk through a folder of images. Folders are told apart by device and inode, so that links
// neither lead around in circles nor count images twice.

#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "encoded.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <sys/stat.h>
#include <system_error>
#include <utility>
#include <vector>

namespace edmund {
namespace {

namespace fs = std::filesystem;

using Identity = std::pair<std::uint64_t, std::uint64_t>;  // device and inode

Identity identity(const struct stat& status) { return {status.st_dev, status.st_ino}; }

// Sorted, so that the walk and its messages do not depend on the file system.
std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::error_code code;
  std::vector<fs::directory_entry> out;
  fs::directory_iterator at(folder, code);
  for (; !code && at != fs::directory_iterator(); at.increment(code)) out.push_back(*at);
  require(!code, "{}: the folder cannot be read: {}", folder.string(), code.message());
  std::ranges::sort(out, {}, [](const fs::directory_entry& entry) { return entry.path().filename(); });
  return out;
}

class Walk {
 public:
  explicit Walk(const fs::path& root) : root_(root) {
    struct stat status = {};
    require(::stat(root.c_str(), &status) == 0, "{}: the folder cannot be read: {}", root.string(),
            std::strerror(errno));
    enter(root, identity(status));
    require_read_once();
    if (special_ > 0)
      log::warn("{}: {} pipes, sockets or devices are left out ({} for one)", root.string(), special_, one_special_);
    found.images.sort();
    found.others.sort();
    if (found.others.find("samples.json") >= 0) {  // of `edmund sample`: the sheet shows the other images
      found.others.remove("samples.json");
      found.images.remove("sheet.png");
    }
  }

  FoundFiles found;

 private:
  void enter(const fs::path& folder, const Identity& id) {
    above_.push_back(id);
    for (const auto& entry : entries_of(folder)) {
      if (is_hidden(entry.path().filename().string())) continue;
      struct stat status = {};
      const bool known = ::stat(entry.path().c_str(), &status) == 0;
      if (known && S_ISDIR(status.st_mode))
        meet(entry, identity(status));
      else
        note(entry, !known || S_ISREG(status.st_mode));  // a broken link is reported when it is read
    }
    above_.pop_back();
  }

  void meet(const fs::directory_entry& entry, const Identity& id) {
    const bool is_link = fs::is_symlink(entry.symlink_status());
    if (std::ranges::find(above_, id) != above_.end()) {
      log::warn("{}: a link to a folder above it, which is read already; it is left out", entry.path().string());
      return;
    }
    // Links wait: what they lead to may be met under its own name, too.
    if (is_link) {
      links_.emplace_back(entry.path(), id);
      const auto [first, fresh] = linked_.emplace(id, entry.path());
      require(fresh, "{}: a link to the same folder as {}; its images would count twice, remove one of them",
              entry.path().string(), first->second.string());
    } else {
      folders_.emplace(id, entry.path());
    }
    enter(entry.path(), id);
  }

  void require_read_once() const {
    for (const auto& [link, id] : links_) {
      const auto own = folders_.find(id);
      require(own == folders_.end(), "{}: a link to {}, which is read, too; its images would count twice, remove it",
              link.string(), own == folders_.end() ? "" : own->second.string());
    }
  }

  void note(const fs::directory_entry& entry, bool is_file) {
    const std::string path = entry.path().string(), base = root_.string();
    auto name = std::string_view(path).substr(base.size());
    name.remove_prefix(std::min(name.find_first_not_of('/'), name.size()));
    if (!is_file) {
      if (special_++ == 0) one_special_ = name;
    } else {
      (is_image_name(name) ? found.images : found.others).add(name);
    }
  }

  fs::path root_;
  std::vector<Identity> above_;  // the folders from the root to here
  std::map<Identity, fs::path> folders_, linked_;
  std::vector<std::pair<fs::path, Identity>> links_;
  std::int64_t special_ = 0;
  std::string one_special_;
};

}  // namespace

FoundFiles files_below(const fs::path& root) { return std::move(Walk(root).found); }

}  // namespace edmund
