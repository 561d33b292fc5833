// The stack machine of Python's pickle format, protocols 2 to 5 (Python's pickletools describes
// every opcode). It makes values; whatever would call Python goes to pickle_calls.cpp.
#include "pickle_machine.h"

#include <bit>
#include <utility>

namespace edmund {
namespace {

// Ten thousand tensors take some 500,000 values.
constexpr std::size_t kMostValues = 1'000'000;
constexpr std::uint64_t kMostSteps = 8'000'000;
constexpr std::size_t kMostOnStack = 100'000;
constexpr std::size_t kMostRemembered = 2'000'000;
constexpr std::uint64_t kMostKept = 32 << 20;

}  // namespace

PickleValue* PickleHeap::make(PickleValue::Kind kind) {
  require(values.size() < kMostValues, "{}: more than {} values in a pickle; no model has so many", file, kMostValues);
  PickleValue& value = values.emplace_back();
  value.kind = kind;
  return &value;
}

std::string_view PickleHeap::keep(std::string text) {
  kept += text.size();
  require(kept <= kMostKept, "{}: more than {} bytes of names in a pickle; no model has so many", file, kMostKept);
  return texts.emplace_back(std::move(text));
}

void PickleHeap::count_copied(std::size_t items) {
  copied += items;
  require(copied <= kMostSteps, "{}: more than {} elements in a pickle; no model has so many", file, kMostSteps);
}

void PickleMachine::damaged(std::string_view what) const {
  fail("{}: the pickle is damaged or of another kind: {} at byte {}", heap_.file, what, at_);
}

const PickleValue* PickleMachine::read() {
  while (!done_) {
    if (++heap_.steps > kMostSteps) damaged("too many steps");
    step(static_cast<unsigned char>(take(1)[0]));
  }
  if (stack_.empty()) damaged("its end before a value");
  return stack_.back();
}

std::string_view PickleMachine::take(std::uint64_t count) {
  if (count > bytes_.size() - at_) damaged("cut short");
  const std::string_view out = bytes_.substr(at_, count);
  at_ += count;
  return out;
}

std::uint64_t PickleMachine::unsigned_of(std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; const char c : take(bytes))
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(c)) << (8 * i++);
  return value;
}

std::string_view PickleMachine::line() {
  const std::size_t end = bytes_.find('\n', at_);
  if (end == std::string_view::npos) damaged("cut short");
  const std::string_view out = take(end - at_);
  ++at_;
  return out;
}

void PickleMachine::push(PickleValue* value) {
  if (stack_.size() >= kMostOnStack) damaged("too many values on the stack");
  stack_.push_back(value);
}

PickleValue* PickleMachine::top() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) damaged("a value is missing");
  return stack_.back();
}

PickleValue* PickleMachine::pop() {
  PickleValue* value = top();
  stack_.pop_back();
  return value;
}

PickleValue* PickleMachine::text(Kind kind, std::string_view content) {
  PickleValue* value = heap_.make(kind);
  value->text = content;
  return value;
}

PickleValue* PickleMachine::number(std::int64_t value) {
  PickleValue* out = heap_.make(Kind::kInteger);
  out->integer = value;
  return out;
}

std::vector<const PickleValue*> PickleMachine::pop_to_mark() {
  if (marks_.empty()) damaged("a mark is missing");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<const PickleValue*> out(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return out;
}

PickleValue* PickleMachine::list(std::vector<const PickleValue*> items) {
  PickleValue* value = heap_.make(Kind::kList);
  value->items = std::move(items);
  return value;
}

void PickleMachine::append(PickleValue* to, const std::vector<const PickleValue*>& items, Kind kind) {
  // an instance of a class that is itself a mapping or a list has elements beside attributes
  if (to->kind != kind && to->kind != Kind::kObject) damaged("elements of something that has none");
  if (kind == Kind::kMapping && items.size() % 2 != 0) damaged("a key without a value");
  to->items.insert(to->items.end(), items.begin(), items.end());
}

void PickleMachine::build() {
  const PickleValue* state = pop();
  PickleValue* object = top();
  if (object->kind == Kind::kObject) object->state = state;
}

void PickleMachine::name(std::string_view module, std::string_view attribute) {
  push(text(Kind::kName, heap_.keep(format("{}.{}", module, attribute))));
}

bool PickleMachine::step_literal(unsigned char code) {
  switch (code) {
    case 'N': push(heap_.make(Kind::kNone)); return true;
    case 0x88:
    case 0x89:
      push(heap_.make(Kind::kBool));
      stack_.back()->integer = code == 0x88;
      return true;
    case 'J': push(number(static_cast<std::int32_t>(unsigned_of(4)))); return true;
    case 'K': push(number(static_cast<std::int64_t>(unsigned_of(1)))); return true;
    case 'M': push(number(static_cast<std::int64_t>(unsigned_of(2)))); return true;
    case 0x8a: {  // LONG1; more than eight bytes stay bytes (torch.save's magic number)
      const std::string_view digits = take(unsigned_of(1));
      if (digits.size() > 8) {
        push(text(Kind::kBytes, digits));
        return true;
      }
      std::uint64_t value = 0;
      for (std::size_t i = 0; i < 8; ++i) {
        const bool negative = !digits.empty() && (static_cast<unsigned char>(digits.back()) & 0x80) != 0;
        const auto byte = i < digits.size() ? static_cast<unsigned char>(digits[i]) : negative ? 0xFFU : 0U;
        value |= static_cast<std::uint64_t>(byte) << (8 * i);
      }
      push(number(static_cast<std::int64_t>(value)));
      return true;
    }
    case 'G': {  // big-endian
      std::uint64_t bits = 0;
      for (const char c : take(8)) bits = bits << 8 | static_cast<unsigned char>(c);
      push(heap_.make(Kind::kReal));
      stack_.back()->real = std::bit_cast<double>(bits);
      return true;
    }
    case 0x8c:
    case 'U': push(text(Kind::kText, take(unsigned_of(1)))); return true;
    case 'X':
    case 'T': push(text(Kind::kText, take(unsigned_of(4)))); return true;
    case 0x8d: push(text(Kind::kText, take(unsigned_of(8)))); return true;
    case 'C': push(text(Kind::kBytes, take(unsigned_of(1)))); return true;
    case 'B': push(text(Kind::kBytes, take(unsigned_of(4)))); return true;
    case 0x8e: push(text(Kind::kBytes, take(unsigned_of(8)))); return true;
    default: return false;
  }
}

bool PickleMachine::step_container(unsigned char code) {
  switch (code) {
    case '(': marks_.push_back(stack_.size()); return true;
    case '1': pop_to_mark(); return true;
    case '0': pop(); return true;
    case ')':
    case ']':
    case 0x8f: push(heap_.make(Kind::kList)); return true;
    case '}': push(heap_.make(Kind::kMapping)); return true;
    case 0x85:
    case 0x86:
    case 0x87: {
      std::vector<const PickleValue*> items(code - 0x84U);
      for (std::size_t i = items.size(); i > 0; --i) items[i - 1] = pop();
      push(list(std::move(items)));
      return true;
    }
    case 't':
    case 0x91: push(list(pop_to_mark())); return true;
    case 'a': {
      const PickleValue* item = pop();
      append(top(), {item}, Kind::kList);
      return true;
    }
    case 'e':
    case 0x90: {
      const auto items = pop_to_mark();
      append(top(), items, Kind::kList);
      return true;
    }
    case 's': {
      const PickleValue *value = pop(), *key = pop();
      append(top(), {key, value}, Kind::kMapping);
      return true;
    }
    case 'u': {
      const auto items = pop_to_mark();
      append(top(), items, Kind::kMapping);
      return true;
    }
    default: return false;
  }
}

bool PickleMachine::step_memo(unsigned char code) {
  if (memo_.size() > kMostRemembered) damaged("too much to remember");
  const auto get = [&](std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) damaged("a memory that holds nothing");
    push(found->second);
  };
  switch (code) {
    case 'h': get(unsigned_of(1)); return true;
    case 'j': get(unsigned_of(4)); return true;
    case 'q': memo_[unsigned_of(1)] = top(); return true;
    case 'r': memo_[unsigned_of(4)] = top(); return true;
    case 0x94: memo_.insert_or_assign(memo_.size(), top()); return true;
    default: return false;
  }
}

bool PickleMachine::step_call(unsigned char code) {
  switch (code) {
    case 'c': {
      const std::string_view module = line(), attribute = line();
      name(module, attribute);
      return true;
    }
    case 0x93: {
      const PickleValue *attribute = pop(), *module = pop();
      if (attribute->kind != Kind::kText || module->kind != Kind::kText) damaged("a name that is no text");
      name(module->text, attribute->text);
      return true;
    }
    case 'R': {
      const PickleValue *arguments = pop(), *callee = pop();
      push(pickle_call(heap_, *callee, *arguments));
      return true;
    }
    case 0x81: {
      const PickleValue *arguments = pop(), *type = pop();
      push(pickle_instance(heap_, *type, *arguments));
      return true;
    }
    case 'b': build(); return true;
    case 'Q': {
      const PickleValue* id = pop();
      if (!persistent_) damaged("a reference out of the pickle");
      push(persistent_(*id));
      return true;
    }
    default: return false;
  }
}

void PickleMachine::step(unsigned char code) {
  switch (code) {
    case 0x80:
      if (const std::uint64_t protocol = unsigned_of(1); protocol < 2 || protocol > 5)
        damaged(format("protocol {}, read are 2 to 5,", protocol));
      return;
    case 0x95: take(8); return;  // a frame's length, for those who read in pieces
    case '.': done_ = true; return;
    default: break;
  }
  if (step_literal(code) || step_container(code) || step_memo(code) || step_call(code)) return;
  damaged(format("opcode {}", static_cast<int>(code)));
}

}  // namespace edmund
