#pragma once

#include "edmund/core/error.h"

#include <string>
#include <string_view>

namespace edmund::testing {

/// Message of the Error that `act` throws; "" if it throws none. Other exceptions pass.
template <typename Act>
std::string error_of(const Act& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace edmund::testing
