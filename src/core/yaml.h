#pragma once

#include <compare>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// A config as a tree of values that know where they stand; yaml-cpp stays behind it.
namespace edmund::yaml {

inline constexpr std::size_t kMostBytes = 1 << 20;   // of one file
inline constexpr std::size_t kMostValues = 100'000;  // of all files together, aliases expanded
inline constexpr std::size_t kMostKeys = 10'000;     // of one mapping
inline constexpr std::size_t kDeepest = 32;

/// Where something stands. Lines and columns count from 1; line 0 means the source as a whole.
struct Place {
  int source = 0;
  int line = 0;
  int column = 0;
  auto operator<=>(const Place&) const = default;  // NOLINT(modernize-use-nullptr)
};

struct Entry;

enum class Kind { kNull, kScalar, kList, kMapping };

struct Value {
  Kind kind = Kind::kNull;
  bool is_quoted = false;  // text that is not to be read as a number
  bool is_filled = false;  // of a text that was laid below what people wrote
  std::string text = {};   // of a scalar
  Place place = {};
  std::vector<Value> items = {};
  std::vector<Entry> entries;  // without `= {}`, for which Entry would have to be known here
  std::vector<Entry> left;     // by mappings of another type that stood here: see merge()

  const Value* find(std::string_view key) const;
};

struct Entry {
  std::string key;
  Place place;
  Value value;
  bool may_drop = false;  // stood where no type was named, which was named above: see merge()
};

/// A mistake in the config that does not stop us from looking for more.
struct Mistake {
  Place place;
  std::string text;
};

/// A file, or an override, which has no lines.
struct Source {
  std::string name;
  bool has_lines = true;
  std::string folder = {};  // where relative paths start; empty: the working folder
};

struct Tree {
  Value root;
  std::vector<Source> sources;
  std::vector<Mistake> mistakes;
  std::size_t values = 0;  // read so far

  /// "file:line:column", or "file".
  std::string text(const Place& place) const;
};

/// Reads one YAML document as part of `tree`; `source` is its index in tree.sources. Duplicate keys
/// become mistakes, the first one counts. Throws Error on wrong syntax, tags, several documents and
/// on anything beyond the bounds above.
Value parse(std::string_view text, int source, Tree& tree);

/// Whether a scalar can stand for {type: word}: a text that is neither a number nor true or false.
bool is_word(const Value& value);
/// What stands there, for "expected …, found …".
std::string found(const Value& value);
/// {type: word}.
Value mapping_of(const Value& word);

/// The value on one line of YAML, as it stands in the document.
std::string flow(const Value& value);
/// The entries of a mapping that people wrote, on lines of YAML, indented by `indent` spaces.
std::string block(const Value& mapping, std::size_t indent);

/// Marks a value and all below it as filled in.
void mark_filled(Value& value);

/// The value below at `path` ("grid.file", "models[1].run"); null if there is none.
Value* find_below(Value& value, std::string_view path);

/// Lays `upper` over `lower`, mappings key by key, all else as a whole. A mapping of another type
/// starts anew: the keys below belong to another plugin and are left aside. A word is {type: word}
/// where it meets a mapping.
void merge(Value& lower, Value upper);
/// A mapping from text as a further source, `name`, of `tree`; it is not put into the root.
Value parse_more(std::string_view text, std::string_view name, Tree& tree);

/// File with its bases below it and the overrides on top.
Tree load_file(const std::filesystem::path& path, std::span<const std::string> overrides,
               const std::filesystem::path& folder);
Tree load_text(std::string_view text, std::string_view name, std::span<const std::string> overrides);

}  // namespace edmund::yaml
