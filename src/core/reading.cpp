#include "reading.h"

#include "edmund/core/format.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

namespace edmund::yaml {
namespace {

/// A number that `parse` understands and `range` accepts.
template <typename T, typename Parse>
Reading<T> number(std::string_view what, Parse parse, Range range, Infinity infinity) {
  return [=](const Value& value) -> Outcome<T> {
    std::optional<T> read;
    if (value.kind == Kind::kScalar && !value.is_quoted) read = parse(value.text);
    if (!read) return {.mistake = format("expected {}, found {}", what, found(value))};
    if (std::isinf(static_cast<double>(*read)) && infinity == Infinity::kRefused)
      return {.mistake = format("expected a finite number{}, found {}", range_text(range), found(value))};
    if (!accepts(range, static_cast<double>(*read)))
      return {.mistake = format("expected {}{}, found {}", what, range_text(range), found(value))};
    return {.value = read};
  };
}

/// The number with the fewest digits that differs from `value` by rounding only.
double short_within(double value, double rounding) {
  for (int digits = 1; digits < 17; ++digits) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*e", digits - 1, value);
    if (const auto read = parse_real(text); read && std::abs(*read - value) <= rounding * std::abs(value)) return *read;
  }
  return value;
}

/// What an integer had to be in place of `value`, which 64 bits do not hold.
std::string integer_range_text(const Range& range, double value) {
  const std::string text = range_text(range);
  if (text.empty()) return " from -2^63 to 2^63 - 1";
  if (!accepts(range, value)) return text;
  return text + (value > 0 ? " and at most 2^63 - 1" : " and at least -2^63");
}

bool reads_as_text(const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/";
  // YAML 1.1 too
  constexpr std::string_view kTaken[] = {"null", "true", "false", "yes", "no", "on", "off"};
  if (text.empty() || text.find_first_not_of(kPlain) != text.npos || kFirst.find(text[0]) == kFirst.npos) return false;
  std::string low = text;
  for (char& c : low) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(std::begin(kTaken), std::end(kTaken), low) == std::end(kTaken) && !parse_real(text);
}

}  // namespace

Reading<double> number_in(Range range, Infinity infinity) {
  return number<double>("a number", parse_real, range, infinity);
}
Reading<std::int64_t> integer_in(Range range) {
  return
      [range, read = number<std::int64_t>("an integer", parse_integer, range, Infinity::kRefused)](const Value& value) {
        Outcome<std::int64_t> out = read(value);
        const bool is_plain = value.kind == Kind::kScalar && !value.is_quoted;
        if (const auto real = is_plain && !out.value ? parse_real(value.text) : std::nullopt;
            real && std::abs(*real) >= 0x1p63)
          out.mistake = format("expected an integer{}, found {}", integer_range_text(range, *real), found(value));
        return out;
      };
}

Outcome<std::string> any_text(const Value& value) {
  if (value.kind == Kind::kScalar) return {.value = value.text};
  return {.mistake = "expected text, found " + found(value)};
}

Outcome<bool> true_or_false(const Value& value) {
  if (value.kind == Kind::kScalar && !value.is_quoted && (value.text == "true" || value.text == "false"))
    return {.value = value.text == "true"};
  return {.mistake = "expected true or false, found " + found(value)};
}

bool accepts(const Range& range, double value) {
  const auto rounding = [&](double end) { return std::isfinite(end) ? range.rounding * std::abs(end) : 0.0; };
  const double low = range.low - rounding(range.low), high = range.high + rounding(range.high);
  return (range.open_low ? value > low : value >= low) && (range.open_high ? value < high : value <= high);
}

std::string range_text(const Range& range) {
  const bool is_low = std::isfinite(range.low), is_high = std::isfinite(range.high);
  const double low = is_low ? short_within(range.low, range.rounding) : range.low,
               high = is_high ? short_within(range.high, range.rounding) : range.high;
  if (is_low && is_high && !range.open_low && !range.open_high) return format(" between {} and {}", low, high);
  std::string out;
  if (is_low) out += format(" {} {}", range.open_low ? "above" : "at least", low);
  if (is_high) out += format("{} {} {}", is_low ? " and" : "", range.open_high ? "below" : "at most", high);
  return out;
}

std::string yaml_of(double value) {
  if (std::isnan(value)) return "";
  return std::isinf(value) ? (value > 0 ? ".inf" : "-.inf") : number_text(value);
}

std::string yaml_of(std::int64_t value) { return number_text(value); }

std::string yaml_of(bool value) { return value ? "true" : "false"; }

std::string yaml_of(const std::string& given) {
  if (reads_as_text(given)) return given;
  const std::string value = as_utf8(given);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace edmund::yaml
