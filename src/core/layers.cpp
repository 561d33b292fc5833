#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "yaml.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

namespace edmund::yaml {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostFiles = 64;

bool has_type(const Value& value) {
  const Value* type = value.find("type");
  return value.kind == Kind::kMapping && type && type->kind == Kind::kScalar;
}

}  // namespace

void mark_filled(Value& value) {
  value.is_filled = true;
  for (Value& item : value.items) mark_filled(item);
  for (Entry& entry : value.entries) mark_filled(entry.value);
}

void merge(Value& lower, Value upper) {
  if (upper.kind == Kind::kMapping && is_word(lower)) lower = mapping_of(lower);
  if (lower.kind == Kind::kMapping && is_word(upper)) upper = mapping_of(upper);
  const bool both = lower.kind == Kind::kMapping && upper.kind == Kind::kMapping;
  if (both && has_type(lower) && has_type(upper) && lower.find("type")->text != upper.find("type")->text) {
    std::vector<Entry> left = std::move(lower.entries);
    std::move(lower.left.begin(), lower.left.end(), std::back_inserter(left));
    std::move(upper.left.begin(), upper.left.end(), std::back_inserter(left));
    lower = std::move(upper);
    lower.left = std::move(left);
    return;
  }
  if (!both) {
    lower = std::move(upper);
    return;
  }
  lower.is_filled = lower.is_filled && upper.is_filled;
  std::move(upper.left.begin(), upper.left.end(), std::back_inserter(lower.left));
  // Without a type it was of the default one; what the named type does not know is left aside too.
  if (!has_type(lower) && has_type(upper))
    for (Entry& entry : lower.entries) entry.may_drop = true;
  if (upper.place.line > 0) lower.place = upper.place;
  for (auto& [key, place, value, may_drop] : upper.entries) {
    const auto below =
        std::find_if(lower.entries.begin(), lower.entries.end(), [&key = key](const Entry& e) { return e.key == key; });
    if (below != lower.entries.end()) {
      below->place = place;
      merge(below->value, std::move(value));
    } else {
      lower.entries.push_back({std::move(key), place, std::move(value), may_drop});
    }
  }
}

namespace {

/// The top of a config: nothing counts as an empty mapping.
Value parse_top(std::string_view text, int source, Tree& tree) {
  Value top = parse(text, source, tree);
  if (top.kind == Kind::kNull) top = {.kind = Kind::kMapping, .place = {source, 0, 0}};
  require(top.kind == Kind::kMapping, "{}: expected a mapping (lines of `key: value`), found {}", tree.text(top.place),
          found(top));
  return top;
}

int add_source(Tree& tree, Source source) {
  tree.sources.push_back(std::move(source));
  return static_cast<int>(tree.sources.size()) - 1;
}

Value read_layers(const fs::path& path, std::vector<fs::path>& chain, Tree& tree);

/// Takes `base:` out of `top` and gives what it stands on.
Value bases(Value& top, const fs::path& folder, std::vector<fs::path>& chain, Tree& tree) {
  Value below = {.kind = Kind::kMapping, .place = top.place};
  const auto entry =
      std::find_if(top.entries.begin(), top.entries.end(), [](const Entry& e) { return e.key == "base"; });
  if (entry == top.entries.end()) return below;
  const Value base = std::move(entry->value);
  top.entries.erase(entry);
  const std::vector<Value> names = base.kind == Kind::kList ? base.items : std::vector{base};
  for (const Value& name : names) {
    if (name.kind == Kind::kNull && base.kind == Kind::kNull) continue;
    require(name.kind == Kind::kScalar && !name.text.empty(), "{}: base: expected the path of a file or a list of them",
            tree.text(name.place));
    const fs::path path = (folder / name.text).lexically_normal();
    std::error_code error;
    require(fs::exists(path, error), "{}: base: no file {}; paths are relative to the file that names them",
            tree.text(name.place), in_quotes(path.string()));
    merge(below, read_layers(path, chain, tree));
  }
  return below;
}

Value read_layers(const fs::path& path, std::vector<fs::path>& chain, Tree& tree) {
  std::error_code error;
  const auto is_same = [&](const fs::path& other) { return fs::equivalent(other, path, error); };
  if (const auto first = std::find_if(chain.begin(), chain.end(), is_same); first != chain.end()) {
    std::string circle;
    for (auto at = first; at != chain.end(); ++at) circle += at->string() + " -> ";
    fail("{}: base files form a circle: {}{}", chain.front(), circle, path);
  }
  require(tree.sources.size() < kMostFiles, "{}: more than {} base files", chain.empty() ? path : chain.front(),
          kMostFiles);
  const int source = add_source(tree, {.name = path.string(), .folder = path.parent_path().string()});
  chain.push_back(path);
  Value top = parse_top(read_file(path, kMostBytes), source, tree);
  Value below = bases(top, path.parent_path(), chain, tree);
  chain.pop_back();
  merge(below, std::move(top));
  return below;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split_path(std::string_view path, std::string_view text) {
  std::vector<std::string> keys;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t dot = std::min(path.find('.', at), path.size());
    keys.emplace_back(path.substr(at, dot - at));
    require(!keys.back().empty(), "override {}: expected key.path=value, found an empty key", in_quotes(text));
    at = dot + 1;
  }
  require(keys.size() < kDeepest, "override {}: more than {} keys deep", in_quotes(text), kDeepest);
  return keys;
}

/// An override runs through mappings (and words, which stand for one) only.
void check_way(const Value& root, const std::vector<std::string>& keys, std::string_view text, const Tree& tree) {
  const Value* at = &root;
  for (std::size_t i = 0; i + 1 < keys.size(); ++i) {
    at = at->find(keys[i]);
    if (!at || at->kind == Kind::kNull) return;
    if (at->kind == Kind::kMapping) continue;
    if (is_word(*at) && keys[i] != "type") return;
    fail("override {}: '{}' is {} ({}), so nothing can be set below it", in_quotes(text), keys[i], found(*at),
         tree.text(at->place));
  }
}

void apply(std::span<const std::string> overrides, const fs::path& folder, Tree& tree) {
  Value layer = {.kind = Kind::kMapping};
  for (const std::string& text : overrides) {
    const std::size_t equals = text.find('=');
    require(equals != std::string::npos, "override {}: expected key.path=value, found no '='", in_quotes(text));
    const auto keys = split_path(trimmed(std::string_view(text).substr(0, equals)), text);
    require(keys.front() != "base", "override {}: base files are named in the config file itself", in_quotes(text));
    check_way(tree.root, keys, text, tree);
    check_way(layer, keys, text, tree);
    const int source =
        add_source(tree, {.name = "override " + in_quotes(text), .has_lines = false, .folder = folder.string()});
    Value value = parse(std::string_view(text).substr(equals + 1), source, tree);
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
      Value outer = {.kind = Kind::kMapping, .place = {source, 0, 0}};
      outer.entries.push_back({*key, {source, 0, 0}, std::move(value)});
      value = std::move(outer);
    }
    merge(layer, std::move(value));
  }
  merge(tree.root, std::move(layer));
}

}  // namespace

Value parse_more(std::string_view text, std::string_view name, Tree& tree) {
  return parse_top(text, add_source(tree, {std::string(name)}), tree);
}

Tree load_file(const fs::path& path, std::span<const std::string> overrides, const fs::path& folder) {
  Tree tree;
  std::vector<fs::path> chain;
  tree.root = read_layers(path, chain, tree);
  apply(overrides, folder, tree);
  return tree;
}

Tree load_text(std::string_view text, std::string_view name, std::span<const std::string> overrides) {
  Tree tree;
  std::vector<fs::path> chain;
  Value top = parse_top(text, add_source(tree, {std::string(name)}), tree);
  tree.root = bases(top, "", chain, tree);
  merge(tree.root, std::move(top));
  apply(overrides, "", tree);
  return tree;
}

}  // namespace edmund::yaml
