#include "module_tree.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

namespace edmund {
namespace {

using Kind = PickleValue::Kind;
using nlohmann::ordered_json;

constexpr int kDeepest = 32;            // modules inside of modules
constexpr std::size_t kMost = 100'000;  // tensors

// Reads tensors as float32. Each element takes a byte of the file or more, so that few tensors can
// share their memory: a small file cannot ask for much.
class Reader {
 public:
  Reader(const PickleFile& pickle, const std::string& file)
      : pickle_(pickle), file_(file), most_(2 * std::filesystem::file_size(file)) {}

  Tensor read(const PickleValue& value, std::string_view name) {
    const Tensor tensor = pickle_.tensor(value, name);
    elements_ += static_cast<std::uint64_t>(tensor.numel());
    ++tensors_;
    require(tensors_ <= kMost && elements_ <= most_,
            "{}: {} tensors of {} elements, more than its size holds; they share memory as no model's do", file_,
            tensors_, elements_);
    return tensor.is_floating_point() ? tensor.to(at::kFloat) : tensor;
  }

 private:
  const PickleFile& pickle_;
  const std::string& file_;
  std::uint64_t most_, elements_ = 0;
  std::size_t tensors_ = 0;
};

class Walk {
 public:
  Walk(const PickleFile& pickle, const std::string& file) : reader_(pickle, file), file_(file) {}

  void enter(const PickleValue& module, const std::string& prefix, int depth) {
    ++modules_;
    require(depth < kDeepest && modules_ < kMost, "{}: modules inside of modules without an end", file_);
    const PickleValue* transient = module.find("_non_persistent_buffers_set");
    for (const char* part : {"_parameters", "_buffers"})
      each(module.find(part), [&](std::string_view name, const PickleValue& value) {
        const auto is_it = [&](const PickleValue* other) { return other->text == name; };
        if (value.kind == Kind::kNone || (transient && std::ranges::any_of(transient->items, is_it))) return;
        const std::string whole = prefix + std::string(name);
        out.emplace_back(whole, reader_.read(value, whole));
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

  Reader reader_;
  const std::string& file_;
  std::size_t modules_ = 0;
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
    case Kind::kMapping: {
      require(depth < 4 && value.items.size() < 2000, "{}: a mapping of {} settings", file, value.items.size() / 2);
      ordered_json out = ordered_json::object();
      for (std::size_t i = 0; i + 1 < value.items.size(); i += 2)
        out[as_utf8(value.items[i]->text)] = json_of(*value.items[i + 1], file, depth + 1);
      return out;
    }
    default: fail("{}: a setting that is no number, text, list or mapping of them", file);
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
  Reader reader(pickle, file);
  for (std::size_t i = 0; i + 1 < state.items.size(); i += 2) {
    const PickleValue& key = *state.items[i];
    require(key.kind == Kind::kText && is_utf8(key.text) && key.text.size() < 1000, "{}: a tensor without a name",
            file);
    out.emplace_back(key.text, reader.read(*state.items[i + 1], key.text));
  }
  return out;
}

ordered_json plain_json(const PickleValue& value, const std::string& file) { return json_of(value, file, 0); }

ordered_json constructor_options(const PickleValue& object,
                                 std::span<const std::pair<std::string_view, std::string_view>> names,
                                 std::span<const std::string_view> elsewhere, const std::string& file) {
  ordered_json out = ordered_json::object();
  const PickleValue* given = object.find("_init_kwargs");
  require(given != nullptr, "{}: the network does not tell its settings", file);
  const PickleValue* unnamed = object.find("_init_args");
  require(!unnamed || unnamed->items.empty(), "{}: settings of the network without names are not read", file);
  for (std::size_t i = 0; i + 1 < given->items.size(); i += 2) {
    const std::string_view key = given->items[i]->text;
    if (std::ranges::find(elsewhere, key) != elsewhere.end()) continue;
    const auto ours = std::ranges::find(names, key, &std::pair<std::string_view, std::string_view>::first);
    require(ours != names.end(), "{}: the network's setting {} is not known here", file, in_quotes(key));
    out[std::string(ours->second)] = plain_json(*given->items[i + 1], file);
  }
  return out;
}

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
