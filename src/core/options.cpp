#include "edmund/core/options.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "option_reader.h"
#include "reading.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace edmund {
using yaml::found;
using yaml::Kind, yaml::Value;

Options::Options() : Options(std::make_shared<Document>(yaml::Tree{}), nullptr) { node_ = &document_->top; }
Options::Options(std::shared_ptr<Document> document, Node* node) : document_(std::move(document)), node_(node) {}
Options::~Options() = default;
Options::Options(const Options&) = default;
Options& Options::operator=(const Options&) = default;

Options Options::read_file(const std::filesystem::path& path, std::span<const std::string> overrides,
                           const std::filesystem::path& folder) {
  auto document = std::make_shared<Document>(yaml::load_file(path, overrides, folder));
  Node* top = &document->top;
  return {std::move(document), top};
}

Options Options::read_text(std::string_view text, std::string_view name, std::span<const std::string> overrides) {
  auto document = std::make_shared<Document>(yaml::load_text(text, name, overrides));
  Node* top = &document->top;
  return {std::move(document), top};
}

bool Options::has(std::string_view key) const {
  node_->record(key);
  return node_->find(key) != nullptr;
}

void Options::set(std::string_view key, std::string_view text, std::string_view name) {
  auto& sources = document_->tree.sources;
  sources.push_back({.name = std::string(name), .has_lines = false});
  const yaml::Place place = {.source = static_cast<int>(sources.size()) - 1};
  if (!node_->value) node_->value = &(node_->layered = {.place = place});
  Value& mapping = *node_->value;
  mapping.kind = Kind::kMapping;
  std::erase_if(mapping.entries, [&](const yaml::Entry& entry) { return entry.key == key; });
  Value value = {.kind = Kind::kScalar, .is_quoted = true, .text = std::string(text), .place = place};
  mapping.entries.push_back({std::string(key), place, std::move(value)});
}

std::string Options::quoted(std::string_view text) { return yaml::yaml_of(std::string(text)); }

bool Options::take_over(std::string_view key) {
  Value* value = node_->value;
  if (!value || node_->find(key)) return false;
  const auto is_it = [&](const yaml::Entry& entry) { return entry.key == key; };
  const auto found = std::find_if(value->left.begin(), value->left.end(), is_it);
  if (found == value->left.end()) return false;
  value->entries.push_back(*found);
  node_->record(key).is_taken_over = true;
  return true;
}

Options Options::child(std::string_view key, std::string_view about) {
  Node::Record& record = node_->record(key);
  Reader{*document_, *node_, key}.described("mapping", "", "", about);
  if (record.nodes.empty() || record.is_list) {
    Value* value = node_->find(key);
    if (value && value->kind != Kind::kMapping && !yaml::is_word(*value)) {
      Reader{*document_, *node_, key}.add(value->place, node_->path_of(key),
                                          "expected a mapping, found " + found(*value));
      value = nullptr;
    }
    record.nodes.clear();
    record.yaml.clear();  // of a key that was deferred
    record.nodes.push_back(node_->below(value, node_->path_of(key)));
    record.is_list = false;
  }
  return {document_, record.nodes.front().get()};
}

std::vector<Options> Options::children(std::string_view key, std::string_view about) {
  Node::Record& record = node_->record(key);
  Value* value = node_->find(key);
  const Reader reader{*document_, *node_, key};
  reader.described("list of mappings", "", "", about);
  if (value && value->kind != Kind::kList) {
    reader.add(value->place, node_->path_of(key), "expected a list of mappings, found " + found(*value));
    value = nullptr;
  }
  if (value && record.nodes.empty()) {
    for (std::size_t i = 0; i < value->items.size(); ++i) {
      Value& item = value->items[i];
      const std::string path = format("{}[{}]", node_->path_of(key), i);
      const bool is_good = item.kind == Kind::kMapping || yaml::is_word(item);
      if (!is_good) reader.add(item.place, path, "expected a mapping, found " + found(item));
      record.nodes.push_back(node_->below(is_good ? &item : nullptr, path));
    }
    record.is_list = true;
    if (value->items.empty()) record.yaml = "[]";
  }
  std::vector<Options> out;
  for (const auto& node : record.nodes) out.push_back({document_, node.get()});
  return out;
}

void Options::defer(std::string_view key) {
  Node::Record& record = node_->record(key);
  if (const Value* value = node_->find(key); value && record.nodes.empty()) record.yaml = yaml::flow(*value);
}

void Options::stand_on(std::string_view text, std::string_view name) {
  yaml::Value below = yaml::parse_more(text, name, document_->tree);
  yaml::mark_filled(below);
  if (node_->value) yaml::merge(below, *node_->value);
  node_->layered = std::move(below);
  node_->value = &node_->layered;
}

std::string Options::value(std::string_view key) const {
  const Node::Record* record = node_->known(key);
  return record ? record->yaml : std::string();
}

std::vector<std::string> Options::keys() const {
  std::vector<std::string> out;
  if (node_->value)
    for (const auto& entry : node_->value->entries) out.push_back(entry.key);
  return out;
}

std::string Options::where(std::string_view key) const {
  const Value* value = key.empty() ? nullptr : node_->find(key);
  const std::string place = document_->tree.text(value ? value->place : node_->place);
  const std::string path = node_->path_of(key);
  return place.empty() || path.empty() ? place + path : format("{}: {}", place, path);
}

void Options::reject(std::string_view key, std::string_view message) {
  const Value* value = key.empty() ? nullptr : node_->find(key);
  if (!key.empty() && node_->record(key).failed) return;
  document_->add(value ? value->place : node_->place, node_->path_of(key), message);
}

void Options::finish() const {
  auto mistakes = document_->tree.mistakes;
  document_->top.find_unread(mistakes);
  if (mistakes.empty()) return;
  std::stable_sort(mistakes.begin(), mistakes.end(), [](const auto& a, const auto& b) { return a.place < b.place; });
  constexpr std::size_t kMostLines = 50;
  std::vector<std::string> lines;
  for (const auto& [place, text] : mistakes) {
    const std::string at = document_->tree.text(place);
    std::string line = at.empty() ? text : format("{}: {}", at, text);
    if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(std::move(line));
    if (lines.size() > kMostLines) break;
  }
  if (lines.size() > kMostLines) lines.back() = format("… {} mistakes in all", mistakes.size());
  fail("{}", join(std::vector<std::string_view>(lines.begin(), lines.end()), "\n"));
}

std::string Options::resolved() const {
  std::string out;
  node_->write(out, 0, Node::Filled::kPlain);
  return out;
}

std::string Options::annotated() const {
  std::string out;
  node_->write(out, 0, Node::Filled::kComment);
  return out;
}

std::string Options::chosen() const { return node_->value ? yaml::block(*node_->value, 0) : std::string(); }

std::vector<OptionFacts> Options::facts() const {
  std::vector<OptionFacts> out;
  node_->find_facts(out);
  return out;
}

std::vector<std::string> Options::notes() const {
  std::vector<std::string> out;
  document_->top.find_left(out);
  return out;
}

std::map<std::string, std::string> Options::flattened() const {
  std::map<std::string, std::string> out;
  const std::function<void(const Value&, const std::string&)> walk = [&](const Value& value, const std::string& path) {
    if (value.kind != Kind::kMapping) {
      if (value.kind != Kind::kNull) out[path] = yaml::flow(value);
      return;
    }
    for (const auto& entry : value.entries)
      walk(entry.value, path.empty() ? entry.key : format("{}.{}", path, entry.key));
  };
  walk(document_->tree.root, "");
  return out;
}

}  // namespace edmund
