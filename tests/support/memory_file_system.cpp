#include "support/memory_file_system.h"

#include <random>
#include <set>
#include <utility>

namespace edmund::testing {
namespace fs = std::filesystem;
namespace {

std::error_code failed(std::errc reason) { return std::make_error_code(reason); }

// What can be on the disk of a file's new content: nothing of it, all of it, its begin, its length
// alone.
std::vector<std::string> torn(const std::string& before, const std::string& after) {
  std::vector<std::string> out = {after, before, std::string(after.size(), '\0')};
  for (const std::size_t size : {std::size_t{1}, after.size() / 3, after.size() / 2, after.size() - 1})
    if (size > 0 && size < after.size()) out.push_back(after.substr(0, size));
  if (after.size() > 8) {
    std::string half = after;
    std::fill(half.begin(), half.begin() + static_cast<std::ptrdiff_t>(half.size() / 2), '\0');
    out.push_back(half);
  }
  return out;
}

}  // namespace

// What may or may not be on the disk after so many changes.
struct MemoryFileSystem::Pending {
  std::vector<Change> changes;   // in their order
  std::vector<bool> is_certain;  // of each
  // change of content and its forms
  std::vector<std::pair<std::size_t, std::vector<std::string>>> torn;
  std::vector<std::size_t> loose;  // changes of names
};

MemoryFileSystem::MemoryFileSystem() : nodes_(1) {
  nodes_[0].is_folder = true;
  settled_ = nodes_;
}

MemoryFileSystem::Place MemoryFileSystem::find(const fs::path& path) const {
  Place at{.folder = 0, .name = "", .node = 0};
  for (const fs::path& part : path.relative_path()) {
    if (part.empty() || part == ".") continue;
    if (at.node < 0 || !nodes_[static_cast<std::size_t>(at.node)].is_folder) return {};
    const auto& entries = nodes_[static_cast<std::size_t>(at.node)].entries;
    const auto found = entries.find(part.string());
    at = {.folder = at.node, .name = part.string(), .node = found == entries.end() ? -1 : found->second};
  }
  return at;
}

void MemoryFileSystem::apply(std::vector<Node>& nodes, const Change& change) {
  for (const auto& [folder, name, node] : change.names) {
    auto& entries = nodes[static_cast<std::size_t>(folder)].entries;
    if (node < 0)
      entries.erase(name);
    else
      entries[name] = node;
  }
  if (change.node >= 0) nodes[static_cast<std::size_t>(change.node)].content = change.content;
}

std::error_code MemoryFileSystem::put(Change change) {
  apply(nodes_, change);
  log_.push_back(std::move(change));
  return {};
}

FileStatus MemoryFileSystem::status(const fs::path& path) {
  const Place at = find(path);
  if (at.node < 0) return {};
  const Node& node = nodes_[static_cast<std::size_t>(at.node)];
  return {.kind = node.is_folder ? FileStatus::Kind::kFolder : FileStatus::Kind::kFile, .bytes = node.content.size()};
}

std::vector<std::string> MemoryFileSystem::names(const fs::path& folder) {
  std::vector<std::string> out;
  if (const Place at = find(folder); at.node >= 0)
    for (const auto& [name, node] : nodes_[static_cast<std::size_t>(at.node)].entries) out.push_back(name);
  return out;
}

std::string MemoryFileSystem::read(const fs::path& path, std::uint64_t limit) {
  const Place at = find(path);
  require(at.node >= 0 && !nodes_[static_cast<std::size_t>(at.node)].is_folder, "{}: cannot read", path);
  const std::string& content = nodes_[static_cast<std::size_t>(at.node)].content;
  require(content.size() <= limit, "{}: {} bytes, more than the {} that are allowed here", path, content.size(), limit);
  return content;
}

std::string MemoryFileSystem::read_at(const fs::path& path, std::uint64_t offset, std::uint64_t count) {
  const std::string content = read(path, std::uint64_t{1} << 32);
  require(offset <= content.size() && count <= content.size() - offset, "{}: it ends too early", path);
  return content.substr(offset, count);
}

std::error_code MemoryFileSystem::create(const fs::path& path, std::string_view bytes) {
  const Place at = find(path);
  if (at.folder < 0) return failed(std::errc::no_such_file_or_directory);
  if (at.node >= 0) return failed(std::errc::file_exists);
  const int node = static_cast<int>(nodes_.size());
  nodes_.emplace_back();
  put({.names = {{at.folder, at.name, node}}});
  return put({.node = node, .content = std::string(bytes)});
}

std::error_code MemoryFileSystem::extend(const fs::path& path, std::uint64_t offset, std::string_view bytes) {
  const Place at = find(path);
  if (at.node < 0) return offset == 0 ? create(path, bytes) : failed(std::errc::invalid_seek);
  const std::string& before = nodes_[static_cast<std::size_t>(at.node)].content;
  if (before.size() < offset) return failed(std::errc::invalid_seek);
  return put({.node = at.node, .content = before.substr(0, offset) + std::string(bytes)});
}

std::error_code MemoryFileSystem::overwrite(const fs::path& path, std::uint64_t offset, std::string_view bytes) {
  const Place at = find(path);
  if (at.node < 0) return failed(std::errc::no_such_file_or_directory);
  std::string content = nodes_[static_cast<std::size_t>(at.node)].content;
  if (content.size() < offset + bytes.size()) return failed(std::errc::invalid_seek);
  return put({.node = at.node, .content = content.replace(offset, bytes.size(), bytes)});
}

std::error_code MemoryFileSystem::sync_file(const fs::path& path) {
  const Place at = find(path);
  return at.node < 0 ? failed(std::errc::no_such_file_or_directory) : put({.synced = at.node});
}

std::error_code MemoryFileSystem::sync_folder(const fs::path& path) { return MemoryFileSystem::sync_file(path); }

std::error_code MemoryFileSystem::make_folder(const fs::path& path) {
  const Place at = find(path);
  if (at.folder < 0) return failed(std::errc::no_such_file_or_directory);
  if (at.node >= 0) return failed(std::errc::file_exists);
  nodes_.emplace_back().is_folder = true;
  return put({.names = {{at.folder, at.name, static_cast<int>(nodes_.size()) - 1}}});
}

std::error_code MemoryFileSystem::rename(const fs::path& from, const fs::path& to) {
  const Place a = find(from), b = find(to);
  if (a.node < 0 || b.folder < 0) return failed(std::errc::no_such_file_or_directory);
  return put({.names = {{a.folder, a.name, -1}, {b.folder, b.name, a.node}}});
}

std::error_code MemoryFileSystem::rename_new(const fs::path& from, const fs::path& to) {
  return find(to).node >= 0 ? failed(std::errc::file_exists) : MemoryFileSystem::rename(from, to);
}

std::error_code MemoryFileSystem::exchange(const fs::path& a, const fs::path& b) {
  const Place first = find(a), second = find(b);
  if (first.node < 0 || second.node < 0) return failed(std::errc::no_such_file_or_directory);
  return put({.names = {{first.folder, first.name, second.node}, {second.folder, second.name, first.node}}});
}

std::error_code MemoryFileSystem::remove(const fs::path& path) {
  const Place at = find(path);
  if (at.node < 0) return failed(std::errc::no_such_file_or_directory);
  if (!nodes_[static_cast<std::size_t>(at.node)].entries.empty()) return failed(std::errc::directory_not_empty);
  return put({.names = {{at.folder, at.name, -1}}});
}

void MemoryFileSystem::settle() {
  settled_ = nodes_;
  log_.clear();
}

MemoryFileSystem::Pending MemoryFileSystem::pending(std::size_t changes) const {
  Pending out{.changes = {log_.begin(), log_.begin() + static_cast<std::ptrdiff_t>(changes)}, .is_certain = {}};
  std::vector<Node> nodes = settled_;
  nodes.resize(nodes_.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i].is_folder = nodes_[i].is_folder;
  for (std::size_t i = 0; i < changes; ++i) {
    const Change& change = out.changes[i];
    const auto is_synced = [&](int node) {
      for (std::size_t k = i + 1; k < changes; ++k)
        if (out.changes[k].synced == node) return true;
      return false;
    };
    bool certain = change.node < 0 || is_synced(change.node);
    for (const Name& name : change.names) certain = certain && is_synced(name.folder);
    out.is_certain.push_back(certain);
    if (!certain && !change.names.empty()) out.loose.push_back(i);
    if (!certain && change.node >= 0)
      out.torn.emplace_back(i, torn(nodes[static_cast<std::size_t>(change.node)].content, change.content));
    apply(nodes, change);
  }
  return out;
}

void MemoryFileSystem::crashes(std::size_t changes, std::size_t most,
                               const std::function<bool(MemoryFileSystem& left)>& take) const {
  Pending found = pending(changes);
  double all = 1.0;
  for (std::size_t i = 0; i < found.loose.size(); ++i) all *= 2.0;
  for (const auto& [at, forms] : found.torn) all *= static_cast<double>(forms.size());
  const bool every = all <= static_cast<double>(most);
  const std::size_t count = every ? static_cast<std::size_t>(all) : most;
  std::mt19937_64 random(1234567 + changes);
  std::set<std::string> seen;
  for (std::size_t number = 0; number < count; ++number) {
    std::vector<bool> done = found.is_certain;
    std::size_t rest = number;
    // Of too many: the first has everything, the second nothing, the others what is drawn.
    const auto choice = [&](std::size_t forms) -> std::size_t {
      if (every) return std::exchange(rest, rest / forms) % forms;
      return number < 2 ? number : static_cast<std::size_t>(random() % forms);
    };
    for (const std::size_t i : found.loose) done[i] = choice(2) == 0;
    for (const auto& [i, forms] : found.torn) {
      found.changes[i].content = forms[choice(forms.size())];
      done[i] = true;
    }
    MemoryFileSystem left;
    left.nodes_ = settled_;
    left.nodes_.resize(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) left.nodes_[i].is_folder = nodes_[i].is_folder;
    for (std::size_t i = 0; i < found.changes.size(); ++i)
      if (done[i]) apply(left.nodes_, found.changes[i]);
    left.settle();
    std::string tree;
    const std::function<void(int)> describe = [&](int at) {
      const Node& node = left.nodes_[static_cast<std::size_t>(at)];
      tree += node.content + '\1';
      for (const auto& [name, below] : node.entries) {
        tree += name + '\2';
        describe(below);
      }
      tree += '\3';
    };
    describe(0);
    if (seen.insert(std::move(tree)).second && !take(left)) return;
  }
}

}  // namespace edmund::testing
