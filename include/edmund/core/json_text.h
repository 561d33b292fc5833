#pragma once

#include <string>

namespace edmund {

/// A JSON value (of nlohmann's library) as text: the one way in which we write it. Paths and names
/// may hold any bytes; U+FFFD stands for those that are no UTF-8. indent < 0: on one line.
template <typename Json>
std::string json_text(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace edmund
