#include "edmund/core/options.h"

#include "document.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "reading.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace edmund {
using yaml::any_text, yaml::found, yaml::integer_in, yaml::number_in, yaml::range_text, yaml::true_or_false,
    yaml::yaml_of, yaml::yaml_within;
using yaml::Kind, yaml::Outcome, yaml::Reading, yaml::Value;

/// What all readers share: one mistake a key, one record a key.
struct Options::Reader {
  Document& document;
  Node& node;
  std::string_view key;

  template <typename T>
  T one(const Reading<T>& reading, T fallback, const std::string& fallback_yaml) const {
    const Value* value = node.find(key);
    if (!value) return keep(std::move(fallback), fallback_yaml);
    const auto outcome = reading(*value);
    if (outcome.value) return keep(*outcome.value, yaml_of(*outcome.value));
    add(value->place, node.path_of(key), outcome.mistake);
    return fallback;
  }

  template <typename T>
  std::vector<T> list(const Reading<T>& reading, std::string_view what, std::vector<T> fallback,
                      const std::string& fallback_yaml) const {
    const Value* value = node.find(key);
    if (!value) return keep(std::move(fallback), fallback_yaml);
    if (value->kind != Kind::kList) {
      add(value->place, node.path_of(key), format("expected a list of {} in [ ], found {}", what, found(*value)));
      return fallback;
    }
    std::vector<T> values;
    bool is_good = true;
    for (std::size_t i = 0; i < value->items.size(); ++i) {
      const auto outcome = reading(value->items[i]);
      if (outcome.value) {
        values.push_back(*outcome.value);
      } else if (std::exchange(is_good, false)) {
        add(value->items[i].place, format("{}[{}]", node.path_of(key), i), outcome.mistake);
      }
    }
    return is_good ? keep(std::move(values), yaml_of(values)) : fallback;
  }

  template <typename T>
  T needed(const Reading<T>& reading, std::string_view what) const {
    if (node.find(key)) return one<T>(reading, T{}, "");
    const Value* null = node.value ? node.value->find(key) : nullptr;
    add(null ? null->place : node.place, node.path_of(key), format("missing; expected {}", what));
    return T{};
  }

  /// Records the value in use, the first time.
  template <typename T>
  T keep(T value, const std::string& yaml) const {
    Node::Record& record = node.record(key);
    if (record.yaml.empty() && record.nodes.empty()) record.yaml = yaml;
    return value;
  }

  void add(const yaml::Place& place, std::string_view path, std::string_view message) const {
    Node::Record& record = node.record(key);
    if (!std::exchange(record.failed, true)) document.add(place, path, message);
  }
};

Options::Options() : Options(std::make_shared<Document>(yaml::Tree{}), nullptr) { node_ = &document_->top; }
Options::Options(std::shared_ptr<Document> document, Node* node) : document_(std::move(document)), node_(node) {}
Options::~Options() = default;
Options::Options(const Options&) = default;
Options& Options::operator=(const Options&) = default;

Options Options::read_file(const std::filesystem::path& path, std::span<const std::string> overrides) {
  auto document = std::make_shared<Document>(yaml::load_file(path, overrides));
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

double Options::real(std::string_view key, double fallback, Range range) {
  return Reader{*document_, *node_, key}.one(number_in(range), fallback, yaml_within(fallback, range));
}

std::int64_t Options::integer(std::string_view key, std::int64_t fallback, Range range) {
  return Reader{*document_, *node_, key}.one(integer_in(range), fallback, yaml_within(fallback, range));
}

bool Options::flag(std::string_view key, bool fallback) {
  return Reader{*document_, *node_, key}.one<bool>(true_or_false, fallback, yaml_of(fallback));
}

std::string Options::text(std::string_view key, std::string_view fallback) {
  return Reader{*document_, *node_, key}.one<std::string>(any_text, std::string(fallback),
                                                          yaml_of(std::string(fallback)));
}

std::string Options::choice(std::string_view key, std::string_view fallback, std::span<const std::string_view> names) {
  const auto is_known = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const auto reading = [&](const Value& value) -> Outcome<std::string> {
    auto read = any_text(value);
    if (!read.value) return {.mistake = format("expected a name, found {}{}", found(value), suggestion("", names))};
    if (is_known(*read.value)) return read;
    return {.mistake = format("unknown name {}{}", in_quotes(*read.value), suggestion(*read.value, names))};
  };
  return Reader{*document_, *node_, key}.one<std::string>(reading, std::string(fallback),
                                                          is_known(fallback) ? yaml_of(std::string(fallback)) : "");
}

std::string Options::choice(std::string_view key, std::string_view fallback,
                            std::initializer_list<std::string_view> names) {
  return choice(key, fallback, std::span(names.begin(), names.size()));
}

std::vector<double> Options::reals(std::string_view key, std::vector<double> fallback, Range range) {
  const std::string yaml = yaml_within(fallback, range);
  return Reader{*document_, *node_, key}.list(number_in(range), "numbers", std::move(fallback), yaml);
}

std::optional<Interval> Options::interval(std::string_view key) {
  const std::vector<double> ends = reals(key, {});
  const bool is_interval = ends.size() == 2 && ends[0] < ends[1];
  check(ends.empty() || is_interval, key, "expected [low, high] with low < high");
  return is_interval ? std::optional<Interval>({ends[0], ends[1]}) : std::nullopt;
}

std::vector<std::int64_t> Options::integers(std::string_view key, std::vector<std::int64_t> fallback, Range range) {
  const std::string yaml = yaml_within(fallback, range);
  return Reader{*document_, *node_, key}.list(integer_in(range), "integers", std::move(fallback), yaml);
}

std::vector<std::string> Options::texts(std::string_view key, std::vector<std::string> fallback) {
  const std::string yaml = yaml_of(fallback);
  return Reader{*document_, *node_, key}.list<std::string>(any_text, "texts", std::move(fallback), yaml);
}

double Options::required_real(std::string_view key, Range range) {
  return Reader{*document_, *node_, key}.needed(number_in(range), "a number" + range_text(range));
}

std::int64_t Options::required_integer(std::string_view key, Range range) {
  return Reader{*document_, *node_, key}.needed(integer_in(range), "an integer" + range_text(range));
}

std::string Options::required_text(std::string_view key) {
  return Reader{*document_, *node_, key}.needed<std::string>(any_text, "text");
}

Options Options::child(std::string_view key) {
  Node::Record& record = node_->record(key);
  if (record.nodes.empty() || record.is_list) {
    const Value* value = node_->find(key);
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

std::vector<Options> Options::children(std::string_view key) {
  Node::Record& record = node_->record(key);
  const Value* value = node_->find(key);
  const Reader reader{*document_, *node_, key};
  if (value && value->kind != Kind::kList) {
    reader.add(value->place, node_->path_of(key), "expected a list of mappings, found " + found(*value));
    value = nullptr;
  }
  if (value && record.nodes.empty()) {
    for (std::size_t i = 0; i < value->items.size(); ++i) {
      const Value& item = value->items[i];
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
  node_->write(out, 0);
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
