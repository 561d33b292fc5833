#pragma once

#include <string_view>

namespace edmund {

/// Whether the brackets of a JSON text, those in its strings left out, are nested deeper than 128
/// levels. To copy or print such a value takes a stack that a file must not decide on.
bool nested_too_deep(std::string_view json);

/// The JSON value (of nlohmann's library) of a text that anybody may have written; is_discarded()
/// where the text is no JSON or nested too deep. (The library takes a NUL for the end.)
template <typename Json>
Json parsed_json(std::string_view text) {
  return nested_too_deep(text) || text.find('\0') != text.npos
             ? Json(Json::value_t::discarded)
             : Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

/// The member of an object, null where there is none or `value` is no object: the library's own
/// operator[] may only be asked for what is there.
template <typename Json>
const Json& member(const Json& value, const char* key) {
  static const Json none;
  if (!value.is_object()) return none;
  const auto found = value.find(key);
  return found == value.end() ? none : *found;
}

}  // namespace edmund
