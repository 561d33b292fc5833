#pragma once

#include "edmund/core/options.h"
#include "yaml.h"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// What was read of one mapping. `value` is null where the document has no such mapping.
struct Options::Node {
  /// One key that a reader asked for.
  struct Record {
    std::string key;
    bool failed = false;  // its mistake is recorded; later ones about the fallback are not
    bool is_needed = false, is_taken_over = false;
    bool is_list = false;
    // of the value in use; empty for what is not to be written
    std::string yaml = {};
    std::string kind = {}, accepts = {}, fallback = {}, about = {};  // as in OptionFacts
    // of a mapping, or of a list of mappings
    std::vector<std::unique_ptr<Node>> nodes = {};
  };

  yaml::Value* value = nullptr;
  std::string path;   // "sampling.grid"; empty at the top
  yaml::Place place;  // of the mapping, or of the nearest one around it
  std::vector<Record> records;
  yaml::Value from_word;  // what `value` shows if a word stood here
  bool is_word = false;
  yaml::Value layered;  // what `value` shows if a text was laid below

  /// Value of a key; null when missing or null in the document.
  const yaml::Value* find(std::string_view key) const;
  yaml::Value* find(std::string_view key);
  const Record* known(std::string_view key) const;
  Record& record(std::string_view key);
  std::string path_of(std::string_view key) const;
  std::unique_ptr<Node> below(yaml::Value* inner, std::string inner_path) const;

  void find_unread(std::vector<yaml::Mistake>& out) const;
  void find_facts(std::vector<OptionFacts>& out) const;
  /// What became of keys that mappings of another type left.
  void find_left(std::vector<std::string>& out) const;
  /// Appends lines of YAML, indented by `indent` spaces; what was filled in as comments if so
  /// asked.
  enum class Filled { kPlain, kComment };
  void write(std::string& out, std::size_t indent, Filled filled) const;
  /// Whether people wrote it.
  bool is_chosen(std::string_view key) const;
  /// Whether one of its keys, or one below them, was chosen, after it was set() too.
  bool has_chosen() const;
};

/// A config with all that was read of it and all that is wrong with it.
struct Options::Document {
  yaml::Tree tree;
  Node top;

  explicit Document(yaml::Tree read);
  void add(const yaml::Place& place, std::string_view path, std::string_view message);
  /// A path that was written there, made absolute.
  std::filesystem::path absolute(const yaml::Value& value) const;
  /// Makes the path that is a value absolute, there and at `path` ("sampling.grid.file") of the
  /// document, unless nothing but the working folder has it: gives that mistake, else "".
  std::string settle(yaml::Value& value, std::string_view path);
};

}  // namespace edmund
