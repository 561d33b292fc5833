#include "module_tree.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace edmund {
namespace {

using Kind = PickleValue::Kind;
using nlohmann::ordered_json;

constexpr int kDeepest = 32;            // modules inside of modules
constexpr std::size_t kMost = 100'000;  // tensors

class Walk {
 public:
  Walk(const PickleFile& pickle, const std::string& file) : pickle_(pickle), file_(file) {}

  void enter(const PickleValue& module, const std::string& prefix, int depth) {
    require(depth < kDeepest && out.size() < kMost, "{}: modules inside of modules without an end", file_);
    const PickleValue* transient = module.find("_non_persistent_buffers_set");
    for (const char* part : {"_parameters", "_buffers"})
      each(module.find(part), [&](std::string_view name, const PickleValue& value) {
        const auto is_it = [&](const PickleValue* other) { return other->text == name; };
        if (value.kind == Kind::kNone || (transient && std::ranges::any_of(transient->items, is_it))) return;
        const Tensor tensor = pickle_.tensor(value, prefix + std::string(name));
        out.emplace_back(prefix + std::string(name), tensor.is_floating_point() ? tensor.to(at::kFloat) : tensor);
      });
    each(module.find("_modules"), [&](std::string_view name, const PickleValue& value) {
      if (value.kind == Kind::kObject) enter(value, prefix + std::string(name) + '.', depth + 1);
    });
  }

  NamedTensors out;

 private:
  template <typename Act>
  void each(const PickleValue* mapping, const Act& act) const {
    for (std::size_t i = 0; mapping && i + 1 < mapping->items.size(); i += 2) {
      const PickleValue& key = *mapping->items[i];
      require(key.kind == Kind::kText && is_utf8(key.text) && key.text.size() < 1000,
              "{}: a module's part without a name", file_);
      act(key.text, *mapping->items[i + 1]);
    }
  }

  const PickleFile& pickle_;
  const std::string& file_;
};

ordered_json json_of(const PickleValue& value, const std::string& file, int depth) {
  switch (value.kind) {
    case Kind::kNone: return nullptr;
    case Kind::kBool: return value.integer != 0;
    case Kind::kInteger: return value.integer;
    case Kind::kReal: return value.real;
    case Kind::kText: return as_utf8(value.text);
    case Kind::kList: {
      require(depth < 4 && value.items.size() < 1000, "{}: a setting of {} values", file, value.items.size());
      ordered_json out = ordered_json::array();
      for (const PickleValue* item : value.items) out.push_back(json_of(*item, file, depth + 1));
      return out;
    }
    default: fail("{}: a setting that is no number, text or list of them", file);
  }
}

}  // namespace

NamedTensors module_tensors(const PickleFile& pickle, const PickleValue& module, const std::string& file) {
  Walk walk(pickle, file);
  walk.enter(module, "", 0);
  return std::move(walk.out);
}

bool is_state(const PickleValue* value, std::string_view name) {
  const PickleValue* found = value && value->kind == Kind::kMapping ? value->find(name) : nullptr;
  return found && found->kind == Kind::kTensor;
}

NamedTensors state_tensors(const PickleFile& pickle, const PickleValue& state, const std::string& file) {
  NamedTensors out;
  require(state.items.size() / 2 < kMost, "{}: {} tensors; no model has so many", file, state.items.size() / 2);
  for (std::size_t i = 0; i + 1 < state.items.size(); i += 2) {
    const PickleValue& key = *state.items[i];
    require(key.kind == Kind::kText && is_utf8(key.text) && key.text.size() < 1000, "{}: a tensor without a name",
            file);
    const Tensor tensor = pickle.tensor(*state.items[i + 1], key.text);
    out.emplace_back(key.text, tensor.is_floating_point() ? tensor.to(at::kFloat) : tensor);
  }
  return out;
}

ordered_json plain_json(const PickleValue& value, const std::string& file) { return json_of(value, file, 0); }

std::int64_t integer_at(const PickleValue& object, std::string_view key, const std::string& file) {
  const PickleValue* value = object.find(key);
  require(value && value->kind == Kind::kInteger, "{}: {} has no {}", file, in_quotes(object.text), key);
  return value->integer;
}

double real_at(const PickleValue& object, std::string_view key, const std::string& file) {
  const PickleValue* value = object.find(key);
  require(value && (value->kind == Kind::kReal || value->kind == Kind::kInteger), "{}: {} has no {}", file,
          in_quotes(object.text), key);
  return value->kind == Kind::kReal ? value->real : static_cast<double>(value->integer);
}

}  // namespace edmund
