#pragma once

#include "edmund/core/error.h"
#include "edmund/io/pickle.h"

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace edmund {

/// What lives as long as the values of a file; pickles inside of it share it. Values refer to each
/// other freely, circles included, and are let go all at once.
struct PickleHeap {
  std::string file;  // for messages
  std::deque<PickleValue> values;
  std::deque<std::string> texts;
  std::uint64_t steps = 0;             // opcodes done so far
  int depth = 0;                       // files of torch.save inside of each other
  std::uint64_t kept = 0, copied = 0;  // bytes of texts; elements

  /// A new value. Throws Error past what a model could need.
  PickleValue* make(PickleValue::Kind kind);
  /// Text that is not in the file as it stands. Throws Error past what a model could need.
  std::string_view keep(std::string text);
  /// Of elements that a value takes over from another one, which costs the file nothing.
  void count_copied(std::size_t items);
};

/// What a file asks for by a name and arguments, as data.
PickleValue* pickle_call(PickleHeap& heap, const PickleValue& callee, const PickleValue& arguments);
/// The instance of a class that a file names.
PickleValue* pickle_instance(PickleHeap& heap, const PickleValue& type, const PickleValue& arguments);
/// What a file of torch.save without a zip archive holds.
const PickleValue* read_plain_torch(PickleHeap& heap, std::string_view bytes);

/// Reads one pickle of protocol 2 to 5 from `bytes`, up to its end.
class PickleMachine {
 public:
  using Persistent = std::function<PickleValue*(const PickleValue& id)>;
  PickleMachine(PickleHeap& heap, std::string_view bytes, Persistent persistent = {})
      : heap_(heap), bytes_(bytes), persistent_(std::move(persistent)) {}

  const PickleValue* read();
  /// Where the pickle ended.
  std::size_t position() const { return at_; }

 private:
  using Kind = PickleValue::Kind;
  [[noreturn]] void damaged(std::string_view what) const;
  void step(unsigned char code);
  bool step_literal(unsigned char code);
  bool step_container(unsigned char code);
  bool step_memo(unsigned char code);
  bool step_call(unsigned char code);
  std::string_view take(std::uint64_t count);
  std::uint64_t unsigned_of(std::size_t bytes);
  std::string_view line();
  void push(PickleValue* value);
  PickleValue* pop();
  PickleValue* top();
  PickleValue* text(Kind kind, std::string_view content);
  PickleValue* number(std::int64_t value);
  std::vector<const PickleValue*> pop_to_mark();
  PickleValue* list(std::vector<const PickleValue*> items);
  void append(PickleValue* to, const std::vector<const PickleValue*>& items, Kind kind);
  void build();
  void name(std::string_view module, std::string_view attribute);

  PickleHeap& heap_;
  std::string_view bytes_;
  Persistent persistent_;
  std::size_t at_ = 0;
  bool done_ = false;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
};

}  // namespace edmund
