#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace edmund {

/// A text as a field of comma-separated values: in double quotes, those inside it doubled (RFC
/// 4180, sec. 2.7).
std::string csv_text(std::string_view text);
/// A number as a field: its shortest exact form, or nothing where it is unknown or not finite.
std::string csv_number(std::optional<double> value);
/// Fields joined to a line, with its end.
std::string csv_line(std::initializer_list<std::string_view> fields);

}  // namespace edmund
