#pragma once

#include "edmund/core/format.h"
#include "edmund/core/interval.h"

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// Which numbers an option accepts; an end that is `open` is left out.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false;
  bool open_high = false;
  double rounding = 0.0;  // numbers so much beyond an end, relative to it, are accepted too
};
inline Range at_least(double low) { return {.low = low}; }
inline Range above(double low) { return {.low = low, .open_low = true}; }
inline Range between(double low, double high) { return {.low = low, .high = high}; }
inline Range inside(double low, double high) { return {.low = low, .high = high, .open_low = true, .open_high = true}; }

/// What a reader said of one key, and what it got.
struct OptionFacts {
  std::string path;        // "sampling.grid.steps"
  std::string kind;        // "number", "integer", "true or false", "text", "mapping" …
  std::string accepts;     // "at least 1", "heun | ddim"; empty: anything of its kind
  std::string fallback;    // as YAML; empty if there is none
  std::string value;       // in use, as YAML; empty after a mistake
  std::string about;       // one line
  bool is_chosen = false;  // stands in the document, not in a text that was laid below
  bool is_needed = false;  // without a default
};

/// A mapping of a config file that remembers what was read from it.
///
/// A reader names its key, its default, its range and one line about it in one call. A missing key
/// gives the default;
/// a wrong type, a value out of range or an unknown choice is recorded with its place and gives the
/// default too, so that one pass reports every mistake.
/// `finish` then throws one Error with all of them, keys that no one asked for included (with the
/// nearest known name).
/// Copies refer to the same document. Null values count as missing.
class Options {
 public:
  /// Empty mapping: every reader gives its default.
  Options();
  ~Options();
  Options(const Options&);
  Options& operator=(const Options&);

  /// Reads a YAML file with its `base:` files (paths relative to the file that names them)
  /// deep-merged below it, then the overrides `key.path=value`. Throws Error on syntax, duplicate
  /// keys, missing or circular bases, absurd size or depth.
  /// Paths in overrides start at `folder`, the working folder if that is empty.
  static Options read_file(const std::filesystem::path& path, std::span<const std::string> overrides = {},
                           const std::filesystem::path& folder = {});
  /// The same from text; `name` stands for the file in messages.
  static Options read_text(std::string_view text, std::string_view name, std::span<const std::string> overrides = {});

  bool has(std::string_view key) const;
  /// Puts a text at `key` of this mapping, whatever its characters: nothing of it is read as YAML.
  /// `name` stands for a file in messages ("--folder").
  void set(std::string_view key, std::string_view text, std::string_view name);
  /// The text as YAML that reads back as it, in quotes where it must be.
  static std::string quoted(std::string_view text);
  /// Whether a mapping of another `type` stood here and its value of `key` can be taken: it then
  /// counts as chosen here. Without this, what a mapping of another type says is dropped.
  bool take_over(std::string_view key);

  double real(std::string_view key, double fallback, Range = {}, std::string_view about = {});
  /// `1e6` is an integer, `010` is ten, 1.5 is not.
  std::int64_t integer(std::string_view key, std::int64_t fallback, Range = {}, std::string_view about = {});
  bool flag(std::string_view key, bool fallback, std::string_view about = {});
  std::string text(std::string_view key, std::string_view fallback, std::string_view about = {});
  std::string choice(std::string_view key, std::string_view fallback, std::span<const std::string_view> names,
                     std::string_view about = {});
  std::string choice(std::string_view key, std::string_view fallback, std::initializer_list<std::string_view> names,
                     std::string_view about = {});
  std::vector<double> reals(std::string_view key, std::vector<double> fallback, Range = {},
                            std::string_view about = {});
  /// `[low, high]`, low < high; nothing if the key is missing or `[]`.
  std::optional<Interval> interval(std::string_view key, std::string_view about = {});
  std::vector<std::int64_t> integers(std::string_view key, std::vector<std::int64_t> fallback, Range = {},
                                     std::string_view about = {});
  std::vector<std::string> texts(std::string_view key, std::vector<std::string> fallback, std::string_view about = {});

  /// A path; "" if the key is missing. A relative one starts at the folder of the file that names
  /// it, that of an override or of a text at the working folder. It is absolute in chosen(), so
  /// that a stored config means the same from anywhere. Records a mistake if nothing lies there but
  /// something would from the working folder.
  std::filesystem::path path(std::string_view key, std::string_view about = {});
  std::filesystem::path path(std::string_view key, std::string_view fallback, std::string_view about);
  std::filesystem::path required_path(std::string_view key, std::string_view about = {});
  /// The same for a path that a later reader takes; `keys` may run through mappings below this
  /// one: "features.file".
  void settle(std::string_view keys);

  /// For keys without a default: records "missing" and gives 0 or "".
  double required_real(std::string_view key, Range = {}, std::string_view about = {});
  std::int64_t required_integer(std::string_view key, Range = {}, std::string_view about = {});
  std::string required_text(std::string_view key, std::string_view about = {});
  /// Of a key that was read without a default: it must be given, and who reads it says so himself
  /// where it is missing.
  void mark_needed(std::string_view key);

  /// Mapping below `key`; empty if missing. A plain word stands for `{type: word}`.
  Options child(std::string_view key, std::string_view about = {});
  /// Mappings in the list below `key`; empty if missing.
  std::vector<Options> children(std::string_view key, std::string_view about = {});

  /// Leaves what stands below `key` to a later reader: nothing unknown is reported there, and
  /// resolved() gives it as it stands.
  void defer(std::string_view key);

  /// Lays YAML text, a mapping called `name` in messages, below this mapping: keys that stand here
  /// keep their values, mappings are merged key by key (one of another `type` starts anew), the
  /// others come from the text. To be called before mappings here are read.
  void stand_on(std::string_view text, std::string_view name);

  /// What a reader of this key got, its default included, as YAML; empty if there was none, or a
  /// mistake.
  std::string value(std::string_view key) const;
  /// Keys that stand in the document here, in its order.
  std::vector<std::string> keys() const;
  /// "file:line:column: path.to.key" of a key, or of this mapping when the key is missing or empty.
  std::string where(std::string_view key = "") const;
  /// Records a mistake about `key`: for checks between options.
  void reject(std::string_view key, std::string_view message);
  template <typename... Args>
  void check(bool condition, std::string_view key, std::string_view pattern, const Args&... args) {
    if (!condition) reject(key, format(pattern, args...));
  }

  /// Throws Error with all recorded mistakes and unread keys of the whole document, one a line, in
  /// order of place.
  void finish() const;
  /// YAML of every key that was read, defaults included, in the order of reading.
  std::string resolved() const;
  /// The same for people: what was filled in, by defaults or by stand_on(), stands in comments, so
  /// that as a config it is what was chosen.
  std::string annotated() const;
  /// YAML of this mapping as it stands in the document, bases merged and overrides applied: what
  /// people chose and nothing else.
  std::string chosen() const;
  /// What became of keys that people chose in mappings whose `type` was replaced, one line a
  /// mapping; to be asked when all is read.
  std::vector<std::string> notes() const;
  /// Of every key that was read here and below, in the order of reading.
  std::vector<OptionFacts> facts() const;
  /// Every value that stands in the document, as "key.path" → text (lists as in the file).
  std::map<std::string, std::string> flattened() const;

 private:
  struct Document;
  struct Node;
  struct Reader;
  Options(std::shared_ptr<Document>, Node*);
  std::shared_ptr<Document> document_;
  Node* node_ = nullptr;
};

}  // namespace edmund
