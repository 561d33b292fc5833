#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace edmund {

/// Integer as people write it: "50000", "1e6", "2.5e3", "010" (ten), "+3", "1_000". Empty for
/// anything else, fractions and numbers outside of 64 bits included.
std::optional<std::int64_t> parse_integer(std::string_view text);
/// Real number: "0.5", "1e-3", "1_000", "inf", "-inf" (".inf" as well). Empty for anything else,
/// "nan" and "0x1p3" included.
std::optional<double> parse_real(std::string_view text);

/// The name at the least edit distance, if it is near enough to be a slip of the hand.
std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string_view> known);
/// "; did you mean 'x'?", else "; known: a, b, c", else nothing if nothing is known.
std::string suggestion(std::string_view name, std::span<const std::string_view> known);

std::string join(std::span<const std::string_view> parts, std::string_view separator);
/// 'text' for a message of one line: control characters as \n, \x07 …, the middle of more than 80
/// bytes left out.
std::string in_quotes(std::string_view text);
bool is_utf8(std::string_view bytes);
/// The bytes, U+FFFD in place of those that are no UTF-8.
std::string as_utf8(std::string_view bytes);
/// What is wrong with the name of a folder that is to be made: "expected …"; empty if nothing.
std::string name_fault(std::string_view name);
/// The same of a name in tables and plots, which may hold '/'.
std::string label_fault(std::string_view name);

/// Three digits with a unit of thousands: 950 -> "950", 1234567 -> "1.23 M".
std::string human_count(double value);
/// All digits in groups: 1234567 -> "1,234,567".
std::string grouped(std::int64_t value);
/// Seconds as "0.25 s", "12 s", "3 min 05 s", "2 h 10 min", "3 d 04 h".
std::string human_time(double seconds);

/// Four significant digits, as plots and tables show numbers: 0.01235, 1.5e-07, 31416.
std::string short_number(double value);

}  // namespace edmund
