#pragma once

#include "edmund/io/pickle.h"

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>

// What a pickled torch.nn.Module holds. All throw Error, which begins with `file`.
namespace edmund {

/// Parameters and persistent buffers by their dotted names, as state_dict() would give them, in
/// float32 where they are real.
NamedTensors module_tensors(const PickleFile& pickle, const PickleValue& module, const std::string& file);

/// Whether a value is a mapping of names to tensors, as state_dict() gives, with this name in it.
bool is_state(const PickleValue* value, std::string_view name);
/// Its tensors in the file's order, in float32 where they are real.
NamedTensors state_tensors(const PickleFile& pickle, const PickleValue& state, const std::string& file);

/// Numbers, texts, truth values, lists and mappings of them as JSON.
nlohmann::ordered_json plain_json(const PickleValue& value, const std::string& file);
/// What a persistent object of NVlabs was constructed with, under our names: pairs of theirs and
/// ours. Arguments of `elsewhere` are left out, others refused by name.
nlohmann::ordered_json constructor_options(const PickleValue& object,
                                           std::span<const std::pair<std::string_view, std::string_view>> names,
                                           std::span<const std::string_view> elsewhere, const std::string& file);
/// An attribute that must be there.
std::int64_t integer_at(const PickleValue& object, std::string_view key, const std::string& file);
double real_at(const PickleValue& object, std::string_view key, const std::string& file);

}  // namespace edmund
