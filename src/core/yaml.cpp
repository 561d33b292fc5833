#include "yaml.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <sstream>
#include <unordered_map>
#include <utility>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace edmund::yaml {
namespace {

/// Builds the tree from the parser's events, so that bounds hold before anything is expanded.
class Builder : public YAML::EventHandler {
 public:
  Builder(int source, Tree& tree)
      : source_(source), has_lines_(tree.sources[static_cast<std::size_t>(source)].has_lines), tree_(tree) {}

  Value take() { return std::move(root_); }
  /// Where the last scalar, list or mapping began.
  const Place& last() const { return last_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add({.place = place(mark)}, anchor); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) fail_at(place(mark), "an alias inside of what it stands for");
    const Value& value = found->second;
    count(size(value), place(mark));
    if (open_.size() + depth(value) > kDeepest) too_deep(place(mark));
    add(value, YAML::NullAnchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    check_tag(mark, tag);
    add({.kind = Kind::kScalar, .is_quoted = tag == "!", .text = text, .place = place(mark)}, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Kind::kList);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Kind::kMapping);
  }
  void OnMapEnd() override { close(); }

 private:
  /// A list or mapping whose end has not come yet.
  struct Open {
    Value value;
    YAML::anchor_t anchor;
    bool has_key = false;
    std::string key = {};
    Place key_place = {};
    std::unordered_map<std::string, Place> seen = {};
  };

  Place place(const YAML::Mark& mark) const {
    return has_lines_ ? Place{source_, mark.line + 1, mark.column + 1} : Place{source_, 0, 0};
  }

  [[noreturn]] void fail_at(const Place& at, std::string_view message) const {
    fail("{}: {}", tree_.text(at), message);
  }
  [[noreturn]] void too_deep(const Place& at) const { fail_at(at, format("nested deeper than {} levels", kDeepest)); }

  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (tag.size() > 1) fail_at(place(mark), format("a YAML tag, {}; plain values only, please", in_quotes(tag)));
  }

  void count(std::size_t values, const Place& at) {
    tree_.values += values;
    if (tree_.values > kMostValues) fail_at(at, format("more than {} values, aliases expanded", kMostValues));
  }

  static std::size_t size(const Value& value) {
    std::size_t sum = 1;
    for (const auto& item : value.items) sum += size(item);
    for (const auto& entry : value.entries) sum += size(entry.value);
    return sum;
  }

  static std::size_t depth(const Value& value) {
    std::size_t below = 0;
    for (const auto& item : value.items) below = std::max(below, depth(item));
    for (const auto& entry : value.entries) below = std::max(below, depth(entry.value));
    return below + (value.items.empty() && value.entries.empty() ? 0 : 1);
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Kind kind) {
    check_tag(mark, tag);
    if (open_.size() == kDeepest) too_deep(place(mark));
    // yaml-cpp takes a bracket that is never closed for the start of a key.
    if (is_key_next()) fail_at(place(mark), "expected a key, found a list or mapping; is its bracket closed?");
    open_.push_back({.value = {.kind = kind, .place = place(mark)}, .anchor = anchor});
  }

  void close() {
    Open last = std::move(open_.back());
    open_.pop_back();
    add(std::move(last.value), last.anchor);
  }

  bool is_key_next() const {
    return !open_.empty() && open_.back().value.kind == Kind::kMapping && !open_.back().has_key;
  }

  void add(Value value, YAML::anchor_t anchor) {
    count(1, value.place);
    last_ = std::max(last_, value.place);
    if (anchor != YAML::NullAnchor) {
      count(size(value), value.place);
      anchored_[anchor] = value;
    }
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().value.kind == Kind::kList) {
      open_.back().value.items.push_back(std::move(value));
    } else if (!open_.back().has_key) {
      start_entry(value);
    } else {
      end_entry(std::move(value));
    }
  }

  void start_entry(const Value& key) {
    if (key.kind != Kind::kScalar || key.text.empty()) fail_at(key.place, "a key is missing; expected a word");
    Open& mapping = open_.back();
    mapping.has_key = true;
    mapping.key = key.text;
    mapping.key_place = key.place;
  }

  void end_entry(Value value) {
    Open& mapping = open_.back();
    mapping.has_key = false;
    if (value.kind == Kind::kNull) value.place = mapping.key_place;
    const auto [first, is_new] = mapping.seen.emplace(mapping.key, mapping.key_place);
    if (!is_new) {
      std::string message = format("duplicate key {}", in_quotes(mapping.key));
      if (has_lines_) message += format(", already at line {}, column {}", first->second.line, first->second.column);
      tree_.mistakes.push_back({mapping.key_place, std::move(message)});
      return;
    }
    if (mapping.value.entries.size() == kMostKeys) fail_at(mapping.key_place, format("more than {} keys", kMostKeys));
    mapping.value.entries.push_back({mapping.key, mapping.key_place, std::move(value)});
  }

  int source_;
  bool has_lines_;
  Tree& tree_;
  Value root_;
  Place last_ = {source_, 0, 0};
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Value> anchored_;
};

struct Position {
  int line = 1, column = 1;
};

Position position(std::string_view text, std::size_t at) {
  const auto before = text.substr(0, at);
  const auto start = before.rfind('\n') + 1;  // 0 when there is none
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1, static_cast<int>(at - start) + 1};
}

/// Refuses what no text file holds, before the parser sees it.
void check_characters(std::string_view text, int source, const Tree& tree) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if ((byte >= 0x20 && byte != 0x7F) || byte == '\n' || byte == '\r' || byte == '\t') continue;
    const auto [line, column] = position(text, at);
    fail("{}: a control character (code {}): not a YAML text file", tree.text({source, line, column}), int{byte});
  }
  require(is_utf8(text), "{}: not UTF-8 text", tree.sources[static_cast<std::size_t>(source)].name);
}

/// First line up to `last` that is indented by a tab; 0 if there is none.
int line_with_tab(std::string_view text, int last) {
  int line = 1;
  for (std::size_t at = 0; at < text.size() && line <= last; ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::size_t first = text.find_first_not_of(" \t", at);
    if (first < end && text.substr(at, first - at).find('\t') != std::string_view::npos) return line;
    at = end + 1;
  }
  return 0;
}

/// What the parser found, in words that help, at its place in the text.
[[noreturn]] void fail_syntax(const YAML::Exception& wrong, std::string_view text, const Place& last,
                              const Tree& tree) {
  namespace Message = YAML::ErrorMsg;
  const std::pair<const char*, const char*> words[] = {
      {Message::EOF_IN_SCALAR, "a quote is never closed"},
      {Message::END_OF_SEQ_FLOW, "expected a comma or the closing ] of a list"},
      {Message::END_OF_MAP_FLOW, "expected a comma or the closing } of a mapping"},
      {Message::END_OF_MAP,
       "expected the next key; is the line indented as its neighbours are, and the value before it whole?"},
      {Message::END_OF_SEQ, "expected the next '- '; is the line indented as its neighbours are?"},
      {Message::MAP_VALUE, "a ': ' where no key can stand; put the text in quotes or mend the indentation"},
  };
  std::string message = "not valid YAML: " + wrong.msg;
  for (const auto& [theirs, ours] : words)
    if (wrong.msg == theirs) message = ours;
  const Position end = position(text, text.size());
  Position at = {wrong.mark.line + 1, wrong.mark.column + 1};
  if (at.line > end.line) at = end;
  if (!tree.sources[static_cast<std::size_t>(last.source)].has_lines) fail("{}: {}", tree.text(last), message);
  if (const int tab = line_with_tab(text, at.line))
    fail("{}: indented by a tab; YAML wants spaces", tree.text({last.source, tab, 1}));
  if (wrong.msg == Message::EOF_IN_SCALAR && last.line > 0)
    at = {last.line, last.column};  // of the key before the quote
  fail("{}: {}", tree.text({last.source, at.line, at.column}), message);
}

}  // namespace

Value parse(std::string_view text, int source, Tree& tree) {
  const std::string& name = tree.sources[static_cast<std::size_t>(source)].name;
  require(text.size() <= kMostBytes, "{}: {} bytes of YAML, more than the {} that are allowed", name, text.size(),
          kMostBytes);
  check_characters(text, source, tree);
  std::istringstream stream{std::string(text) +
                            // a quote open until the last line's end would be taken as closed
                            "\n#"};
  Builder builder(source, tree);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    Builder rest(source, tree);
    if (parser.HandleNextDocument(rest))
      fail("{}: expected the end, found another YAML document", tree.text(rest.take().place));
  } catch (const YAML::Exception& wrong) {
    fail_syntax(wrong, text, builder.last(), tree);
  }
  return builder.take();
}

}  // namespace edmund::yaml
