#pragma once

#include "edmund/core/files.h"
#include "edmund/core/json_text.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

namespace edmund {

/// Whether the text has the form of checksum().
inline bool looks_like_checksum(std::string_view text) {
  return text.size() == 16 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// The object (of nlohmann's library, in the order of its members) with the member `checksum` at
/// its end, of everything else.
template <typename Json>
Json sealed(Json object) {
  object.erase("checksum");
  std::string sum = checksum(json_text(object));
  object["checksum"] = std::move(sum);
  return object;
}

/// Whether the value is an object as it was sealed. One that never was, of an older version, counts
/// as whole, unless it ends with what may be a seal of another name.
template <typename Json>
bool is_whole(const Json& value) {
  if (!value.is_object() || value.empty()) return false;
  if (value.contains("checksum")) return sealed(value).at("checksum") == value.at("checksum");
  const Json& last = std::prev(value.end()).value();
  return !last.is_string() || !looks_like_checksum(last.template get<std::string>());
}

}  // namespace edmund
