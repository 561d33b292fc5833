#include "document.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "reading.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace edmund {
namespace yaml {

const Value* Value::find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &found->value;
}

std::string Tree::text(const Place& place) const {
  const auto index = static_cast<std::size_t>(place.source);
  const std::string name = index < sources.size() ? sources[index].name : "";
  return place.line == 0 ? name : format("{}:{}:{}", name, place.line, place.column);
}

bool is_word(const Value& value) {
  if (value.kind != Kind::kScalar || value.text.empty()) return false;
  return value.is_quoted || (!parse_real(value.text) && value.text != "true" && value.text != "false");
}

std::string found(const Value& value) {
  switch (value.kind) {
    case Kind::kNull: return "nothing";
    case Kind::kList: return "a list";
    case Kind::kMapping: return "a mapping";
    case Kind::kScalar: break;
  }
  if (value.is_quoted) return "the text " + in_quotes(value.text);
  return parse_real(value.text) ? value.text : in_quotes(value.text);
}

Value mapping_of(const Value& word) {
  Value out = {.kind = Kind::kMapping, .is_filled = word.is_filled, .place = word.place};
  out.entries.push_back({"type", word.place, word});
  return out;
}

Value* find_below(Value& value, std::string_view path) {
  Value* at = &value;
  while (at && !path.empty()) {
    const std::string_view step = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(step.size() + 1, path.size()));
    const std::string_view key = step.substr(0, step.find('['));
    const auto found =
        std::find_if(at->entries.begin(), at->entries.end(), [&](const Entry& entry) { return entry.key == key; });
    at = found == at->entries.end() ? nullptr : &found->value;
    if (!at || key.size() == step.size()) continue;
    const auto index = parse_integer(step.substr(key.size() + 1, step.size() - key.size() - 2));
    at = index && *index < std::ssize(at->items) ? &at->items[static_cast<std::size_t>(*index)] : nullptr;
  }
  return at;
}

std::string flow(const Value& value) {
  std::string out;
  switch (value.kind) {
    case Kind::kNull: return "~";
    case Kind::kScalar: return is_word(value) ? yaml_of(value.text) : value.text;
    case Kind::kList:
      for (const auto& item : value.items) out += (out.empty() ? "" : ", ") + flow(item);
      return "[" + out + "]";
    case Kind::kMapping:
      for (const auto& entry : value.entries)
        out += (out.empty() ? "" : ", ") + yaml_of(entry.key) + ": " + flow(entry.value);
      return "{" + out + "}";
  }
  return out;
}

std::string block(const Value& mapping, std::size_t indent) {
  std::string out;
  for (const auto& entry : mapping.entries) {
    if (entry.value.is_filled) continue;
    const bool is_block = entry.value.kind == Kind::kMapping && !entry.value.entries.empty();
    out.append(indent, ' ');
    out += format(is_block ? "{}:\n{}" : "{}: {}\n", yaml_of(entry.key),
                  is_block ? block(entry.value, indent + 2) : flow(entry.value));
  }
  return out;
}

}  // namespace yaml

const yaml::Value* Options::Node::find(std::string_view key) const {
  const yaml::Value* found = value ? value->find(key) : nullptr;
  return found && found->kind != yaml::Kind::kNull ? found : nullptr;
}

yaml::Value* Options::Node::find(std::string_view key) {
  if (!value) return nullptr;
  for (yaml::Entry& entry : value->entries)
    if (entry.key == key) return entry.value.kind == yaml::Kind::kNull ? nullptr : &entry.value;
  return nullptr;
}

const Options::Node::Record* Options::Node::known(std::string_view key) const {
  const auto found =
      std::find_if(records.begin(), records.end(), [&](const Record& record) { return record.key == key; });
  return found == records.end() ? nullptr : &*found;
}

Options::Node::Record& Options::Node::record(std::string_view key) {
  const auto found =
      std::find_if(records.begin(), records.end(), [&](const Record& record) { return record.key == key; });
  if (found != records.end()) return *found;
  records.push_back({.key = std::string(key)});
  return records.back();
}

std::string Options::Node::path_of(std::string_view key) const {
  if (key.empty()) return path;
  return path.empty() ? std::string(key) : format("{}.{}", path, key);
}

std::unique_ptr<Options::Node> Options::Node::below(yaml::Value* inner, std::string inner_path) const {
  auto node = std::make_unique<Node>();
  node->path = std::move(inner_path);
  node->place = inner ? inner->place : place;
  node->value = inner;
  if (inner && yaml::is_word(*inner)) {
    node->is_word = true;
    node->from_word = yaml::mapping_of(*inner);
    node->value = &node->from_word;
  }
  return node;
}

void Options::Node::find_unread(std::vector<yaml::Mistake>& out) const {
  const Record* type = known("type");
  if (is_word && !type) {
    out.push_back(
        {place, format("{}: expected a mapping, found {}", path, in_quotes(from_word.entries[0].value.text))});
    return;
  }
  std::vector<std::string_view> names;
  for (const auto& record : records) names.push_back(record.key);
  if (value && !(type && type->failed)) {  // of an unknown type we know no keys
    for (auto& entry : value->entries)
      if (entry.may_drop && !known(entry.key))
        entry.value.is_filled = true;  // nobody chose it for this type
      else if (!known(entry.key))
        out.push_back({entry.place, format("unknown key {}{}{}", in_quotes(entry.key),
                                           path.empty() ? "" : " in " + path, suggestion(entry.key, names))});
  }
  for (const auto& record : records)
    for (const auto& node : record.nodes) node->find_unread(out);
}

void Options::Node::find_facts(std::vector<OptionFacts>& out) const {
  for (const auto& record : records) {
    if (!record.kind.empty())
      out.push_back({.path = path_of(record.key),
                     .kind = record.kind,
                     .accepts = record.accepts,
                     .fallback = record.fallback,
                     .value = record.failed ? "" : record.yaml,
                     .about = record.about,
                     .is_chosen = is_chosen(record.key),
                     .is_needed = record.is_needed});
    for (const auto& node : record.nodes) node->find_facts(out);
  }
}

void Options::Node::find_left(std::vector<std::string>& out) const {
  if (value && value->find("type")) {
    std::string kept, dropped;
    for (const auto& entry : value->entries)
      if (entry.may_drop && !known(entry.key))
        dropped += format("{}{}: {}", dropped.empty() ? "" : ", ", entry.key, yaml::flow(entry.value));
    for (const auto& entry : value->left) {
      if (entry.key == "type") continue;
      const Record* record = known(entry.key);
      std::string& list = record && record->is_taken_over ? kept : dropped;
      list += format("{}{}: {}", list.empty() ? "" : ", ", entry.key, yaml::flow(entry.value));
    }
    if (!kept.empty() || !dropped.empty())
      out.push_back(format("{}: another type, {}, so {}{}{}{}{}", path, value->find("type")->text, kept,
                           kept.empty() ? "" : " is kept", kept.empty() || dropped.empty() ? "" : " and ", dropped,
                           dropped.empty() ? "" : " is dropped"));
  }
  for (const auto& record : records)
    for (const auto& node : record.nodes) node->find_left(out);
}

bool Options::Node::is_chosen(std::string_view key) const {
  const yaml::Value* found = find(key);
  return found && !found->is_filled;
}

bool Options::Node::has_chosen() const {
  return std::any_of(records.begin(), records.end(), [&](const Record& record) {
    return is_chosen(record.key) ||
           std::any_of(record.nodes.begin(), record.nodes.end(), [](const auto& node) { return node->has_chosen(); });
  });
}

void Options::Node::write(std::string& out, std::size_t indent, Filled filled) const {
  const std::string margin(indent, ' ');
  for (const auto& record : records) {
    const bool is_comment =
        filled == Filled::kComment && !is_chosen(record.key) &&
        std::none_of(record.nodes.begin(), record.nodes.end(), [](const auto& node) { return node->has_chosen(); });
    const std::string key = margin + (is_comment ? "# " : "") + yaml::yaml_of(record.key) + ":";
    if (!record.yaml.empty()) out += format("{} {}\n", key, record.yaml);
    if (record.nodes.empty()) continue;
    std::string inner;
    for (const auto& node : record.nodes) {
      std::string lines;
      node->write(lines, indent + (record.is_list ? 4 : 2), filled);
      const bool is_bare = std::none_of(node->records.begin(), node->records.end(),
                                        [&](const Record& one) { return node->is_chosen(one.key); });
      if (record.is_list && (lines.empty() || (filled == Filled::kComment && is_bare))) {
        lines.insert(0, margin + "  - {}\n");
      } else if (record.is_list) {
        lines.replace(0, indent + 4, margin + "  - ");
      } else if (lines.empty() && node->value) {
        lines = margin + "  {}\n";
      }
      inner += lines;
    }
    if (!inner.empty()) out.append(key).append("\n").append(inner);
  }
}

Options::Document::Document(yaml::Tree read) : tree(std::move(read)) {
  top.value = &tree.root;
  top.place = tree.root.place;
}

void Options::Document::add(const yaml::Place& place, std::string_view path, std::string_view message) {
  tree.mistakes.push_back({place, path.empty() ? std::string(message) : format("{}: {}", path, message)});
}

std::filesystem::path Options::Document::absolute(const yaml::Value& value) const {
  const auto index = static_cast<std::size_t>(value.place.source);
  const std::string folder = index < tree.sources.size() ? tree.sources[index].folder : "";
  return std::filesystem::absolute(std::filesystem::path(folder) / value.text).lexically_normal();
}

std::string Options::Document::settle(yaml::Value& value, std::string_view path) {
  if (value.kind != yaml::Kind::kScalar || value.text.empty()) return "";
  const std::filesystem::path there = absolute(value), here = std::filesystem::absolute(value.text).lexically_normal();
  std::error_code error;
  if (here != there && !std::filesystem::exists(there, error) && std::filesystem::exists(here, error))
    return format(
        "no {}: a path starts at the folder of the file that names it; {} lies in the working folder: write {}", there,
        in_quotes(value.text), here);
  if (!is_utf8(there.string())) return "";  // no YAML file can hold it: it stays as it was written
  yaml::Value* same = yaml::find_below(tree.root, path);
  if (same && same->kind == yaml::Kind::kScalar && same->text == value.text) same->text = there.string();
  value.text = there.string();
  return "";
}

}  // namespace edmund
