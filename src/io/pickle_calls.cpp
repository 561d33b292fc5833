// What files of models ask Python to call, as data. Nothing is called: a name that is not in these
// tables is refused.
#include "edmund/core/text.h"
#include "pickle_machine.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

namespace edmund {
namespace {

using Kind = PickleValue::Kind;
using Items = std::vector<const PickleValue*>;

struct Call {
  PickleHeap& heap;
  std::string_view name;
  const Items& given;

  // The argument at a place, which must be of that kind.
  const PickleValue& at(std::size_t place, Kind kind) const {
    require(place < given.size() && given[place]->kind == kind, "{}: the pickle is damaged: {} with other arguments",
            heap.file, name);
    return *given[place];
  }
};

PickleValue* mapping(const Call& call) {
  PickleValue* out = call.heap.make(Kind::kMapping);
  if (call.given.empty()) return out;
  for (const PickleValue* pair : call.at(0, Kind::kList).items) {
    require(pair->kind == Kind::kList && pair->items.size() == 2, "{}: the pickle is damaged: {} of something else",
            call.heap.file, call.name);
    call.heap.count_copied(2);
    out->items.insert(out->items.end(), pair->items.begin(), pair->items.end());
  }
  return out;
}

// (storage, offset, sizes, strides, …)
PickleValue* tensor(const Call& call) {
  const PickleValue& sizes = call.at(2, Kind::kList);
  const PickleValue& strides = call.at(3, Kind::kList);
  const auto is_number = [](const PickleValue* item) { return item->kind == Kind::kInteger; };
  require(sizes.items.size() == strides.items.size() && sizes.items.size() <= 16 &&
              std::ranges::all_of(sizes.items, is_number) && std::ranges::all_of(strides.items, is_number),
          "{}: the pickle is damaged: a tensor without a shape", call.heap.file);
  PickleValue* out = call.heap.make(Kind::kTensor);
  out->storage = call.at(0, Kind::kStorage).storage;
  out->integer = call.at(1, Kind::kInteger).integer;
  out->items = sizes.items;
  out->items.insert(out->items.end(), strides.items.begin(), strides.items.end());
  return out;
}

// The value itself, which the heap made as one that may change; a copy would let a short pickle
// take any memory.
PickleValue* of_heap(const PickleValue* value) { return const_cast<PickleValue*>(value); }

PickleValue* first(const Call& call) {
  require(!call.given.empty(), "{}: the pickle is damaged: {} without arguments", call.heap.file, call.name);
  return of_heap(call.given[0]);
}

PickleValue* torch_bytes(const Call& call) {
  return of_heap(read_plain_torch(call.heap, call.at(0, Kind::kBytes).text));
}

// NVlabs' persistent objects: their source text is there, too, and is not read.
PickleValue* persistent_object(const Call& call) {
  const PickleValue& meta = call.at(0, Kind::kMapping);
  const PickleValue *name = meta.find("class_name"), *state = meta.find("state");
  require(name && name->kind == Kind::kText && state, "{}: the pickle is damaged: a persistent object without a state",
          call.heap.file);
  PickleValue* out = call.heap.make(Kind::kObject);
  out->text = name->text;
  out->state = state;
  return out;
}

// dtype(name, …), and after it scalar(dtype, bytes)
PickleValue* numpy_type(const Call& call) {
  PickleValue* out = call.heap.make(Kind::kObject);
  out->text = call.at(0, Kind::kText).text;
  return out;
}

template <typename T>
T of_bytes(std::string_view bytes) {
  T out = {};
  std::memcpy(&out, bytes.data(), sizeof out);
  return out;
}

PickleValue* numpy_scalar(const Call& call) {
  const std::string_view type = call.at(0, Kind::kObject).text, bytes = call.at(1, Kind::kBytes).text;
  const auto is = [&](std::string_view name, std::size_t size) { return type == name && bytes.size() == size; };
  PickleValue* out = call.heap.make(Kind::kReal);
  if (is("f8", 8)) {
    out->real = of_bytes<double>(bytes);
  } else if (is("f4", 4)) {
    out->real = of_bytes<float>(bytes);
  } else {
    out->kind = is("b1", 1) ? Kind::kBool : Kind::kInteger;
    if (is("i8", 8) || is("u8", 8)) {
      out->integer = of_bytes<std::int64_t>(bytes);
    } else if (is("i4", 4)) {
      out->integer = of_bytes<std::int32_t>(bytes);
    } else if (is("b1", 1)) {
      out->integer = bytes[0] != 0;
    } else {
      fail("{}: a NumPy number of type {} and {} bytes is not read", call.heap.file, in_quotes(type), bytes.size());
    }
  }
  return out;
}

// bytes as protocol 2 writes them: text whose code points are the bytes
PickleValue* encoded(const Call& call) {
  const std::string_view text = call.at(0, Kind::kText).text;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_pair = (byte & 0xFCU) == 0xC0U && i + 1 < text.size();
    require(byte < 0x80 || is_pair, "{}: the pickle is damaged: bytes that are none", call.heap.file);
    bytes += is_pair ? static_cast<char>((byte & 3U) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3FU)) : text[i];
  }
  PickleValue* out = call.heap.make(Kind::kBytes);
  out->text = call.heap.keep(std::move(bytes));
  return out;
}

struct Known {
  std::string_view name;
  PickleValue* (*make)(const Call&);
};
constexpr Known kCalls[] = {
    {"collections.OrderedDict", mapping},
    {"torch._utils._rebuild_tensor_v2", tensor},
    {"torch._utils._rebuild_tensor", tensor},
    {"torch._utils._rebuild_parameter", first},
    {"torch.storage._load_from_bytes", torch_bytes},
    {"torch.Size", first},
    {"torch_utils.persistence._reconstruct_persistent_obj", persistent_object},
    {"numpy.dtype", numpy_type},
    {"numpy.core.multiarray.scalar", numpy_scalar},
    {"numpy._core.multiarray.scalar", numpy_scalar},
    {"_codecs.encode", encoded},
};

// Classes whose instances hold nothing but attributes or elements.
constexpr std::string_view kClasses[] = {"argparse.Namespace",
                                         "collections.OrderedDict",
                                         "dnnlib.util.EasyDict",
                                         "torch.nn.modules.container.ModuleDict",
                                         "torch.nn.modules.container.ModuleList",
                                         "torch.nn.modules.container.ParameterDict",
                                         "torch.nn.modules.container.ParameterList",
                                         "torch.nn.modules.container.Sequential"};

[[noreturn]] void refuse(const PickleHeap& heap, std::string_view name) {
  fail("{}: asks for {}, which is none of the names that models are kept by; it was not run", heap.file,
       in_quotes(name));
}

}  // namespace

PickleValue* pickle_call(PickleHeap& heap, const PickleValue& callee, const PickleValue& arguments) {
  if (callee.kind != Kind::kName || arguments.kind != Kind::kList)
    fail("{}: the pickle is damaged: a call of something that has no name", heap.file);
  const auto* found = std::ranges::find(kCalls, callee.text, &Known::name);
  if (found == std::end(kCalls)) refuse(heap, callee.text);
  return found->make({.heap = heap, .name = callee.text, .given = arguments.items});
}

PickleValue* pickle_instance(PickleHeap& heap, const PickleValue& type, const PickleValue&) {
  if (type.kind != Kind::kName) fail("{}: the pickle is damaged: an instance of no class", heap.file);
  if (std::ranges::find(kClasses, type.text) == std::end(kClasses)) refuse(heap, type.text);
  PickleValue* out = heap.make(Kind::kObject);
  out->text = type.text;
  return out;
}

}  // namespace edmund
