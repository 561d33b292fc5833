#include "edmund/core/text.h"

#include "edmund/core/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <limits>
#include <utf8/checked.h>
#include <vector>

namespace edmund {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A decimal number in its parts, without underscores: -12.5e3 = {true, "12", "5", 3}.
struct Decimal {
  bool negative = false;
  std::string whole, fraction;
  std::int64_t exponent = 0;
};

/// Digits at the front of `text`, which single underscores may group; empty if there are none or an
/// underscore is misplaced.
std::optional<std::string> take_digits(std::string_view& text) {
  std::string digits;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (is_digit(text[at])) {
      digits += text[at];
    } else if (text[at] != '_' || at == 0 || !is_digit(text[at - 1]) || at + 1 == text.size() ||
               !is_digit(text[at + 1])) {
      break;
    }
  }
  text.remove_prefix(at);
  if (digits.empty()) return std::nullopt;
  return digits;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal out;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    out.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  out.whole = take_digits(text).value_or("");
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    out.fraction = take_digits(text).value_or("");
  }
  if (out.whole.empty() && out.fraction.empty()) return std::nullopt;
  if (!text.empty() && (text[0] == 'e' || text[0] == 'E')) {
    text.remove_prefix(1);
    const bool minus = !text.empty() && text[0] == '-';
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    const auto digits = take_digits(text);
    if (!digits) return std::nullopt;
    constexpr std::int64_t kHuge = 1'000'000'000;
    if (std::from_chars(digits->data(), digits->data() + digits->size(), out.exponent).ec != std::errc{})
      out.exponent = kHuge;
    out.exponent = std::min(out.exponent, kHuge) * (minus ? -1 : 1);
  }
  if (!text.empty()) return std::nullopt;
  return out;
}

std::string lowered(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-' || c == ' ') c = '_';
  }
  return out;
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal
/// string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string printed(const char* pattern, double value) {
  char buffer[64];
  const int length = std::snprintf(buffer, sizeof buffer, pattern, value);
  return {buffer, static_cast<std::size_t>(length)};
}

std::string two_units(double big, const char* big_unit, double small, const char* small_unit) {
  return format("{} {} {} {}", static_cast<std::int64_t>(big), big_unit, printed("%02.0f", small), small_unit);
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const auto number = parse_decimal(text);
  if (!number) return std::nullopt;
  std::string digits = number->whole + number->fraction;
  digits.erase(0, digits.find_first_not_of('0'));
  if (digits.empty()) return 0;
  const std::size_t last = digits.find_last_not_of('0') + 1;
  const auto zeros = number->exponent - static_cast<std::int64_t>(number->fraction.size()) +
                     // that follow the last non-zero digit
                     static_cast<std::int64_t>(digits.size() - last);
  if (zeros < 0 || zeros + static_cast<std::int64_t>(last) > 19) return std::nullopt;
  digits.resize(last);
  digits.append(static_cast<std::size_t>(zeros), '0');
  if (number->negative) digits.insert(0, 1, '-');
  std::int64_t value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc{}) return std::nullopt;
  return value;
}

std::optional<double> parse_real(std::string_view text) {
  std::string_view word = text;
  const bool minus = !word.empty() && word[0] == '-';
  if (!word.empty() && (word[0] == '-' || word[0] == '+')) word.remove_prefix(1);
  if (word == "inf" || word == ".inf") {
    const double infinity = std::numeric_limits<double>::infinity();
    return minus ? -infinity : infinity;
  }
  const auto number = parse_decimal(text);
  if (!number) return std::nullopt;
  const std::string plain =
      format("{}{}.{}e{}", number->negative ? "-" : "", number->whole.empty() ? "0" : number->whole,
             number->fraction.empty() ? "0" : number->fraction, number->exponent);
  double value = 0;
  if (std::from_chars(plain.data(), plain.data() + plain.size(), value).ec != std::errc{}) return std::nullopt;
  return value;
}

std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string_view> known) {
  const std::string wanted = lowered(name);
  const std::size_t slips = std::max<std::size_t>(1, wanted.size() / 3);
  std::optional<std::string> best;
  std::size_t least = slips + 1;
  for (const auto candidate : known) {
    if (std::max(candidate.size(), wanted.size()) - std::min(candidate.size(), wanted.size()) > slips) continue;
    const std::size_t distance = edit_distance(wanted, lowered(candidate));
    if (distance >= least || distance >= std::max<std::size_t>(1, candidate.size())) continue;
    least = distance;
    best = std::string(candidate);
  }
  return best;
}

std::string suggestion(std::string_view name, std::span<const std::string_view> known) {
  if (const auto near = nearest_name(name, known)) return format("; did you mean '{}'?", *near);
  return known.empty() ? "" : "; known: " + join(known, ", ");
}

std::string join(std::span<const std::string_view> parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 80, kKept = 36;
  const auto is_inner = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80; };
  std::string shown(text);
  if (text.size() > kLongest) {
    std::size_t head = kKept, tail = text.size() - kKept;
    while (head > 0 && is_inner(head)) --head;
    while (tail < text.size() && is_inner(tail)) ++tail;
    shown = std::string(text.substr(0, head)) + " … " + std::string(text.substr(tail));
  }
  std::string out = "'";
  for (const char c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\x%02x", byte);
      out += buffer;
    } else {
      out += c;
    }
  }
  return out + "'";
}

bool is_utf8(std::string_view bytes) { return utf8::is_valid(bytes.begin(), bytes.end()); }

std::string as_utf8(std::string_view bytes) {
  std::string out;
  utf8::replace_invalid(bytes.begin(), bytes.end(), std::back_inserter(out), 0xFFFD);
  return out;
}

std::string name_fault(std::string_view name) {
  if (name == "." || name == "..") return format("expected a name, found '{}', which is a folder of its own", name);
  if (name.find('/') != std::string_view::npos) return "expected a name without '/', found " + in_quotes(name);
  return label_fault(name);
}

std::string label_fault(std::string_view name) {
  constexpr std::size_t kLongest = 200;  // bytes; most file systems take 255
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (name.empty()) return "expected a name, found none";
  if (std::any_of(name.begin(), name.end(), is_control))
    return "expected a name without control characters, found " + in_quotes(name);
  if (name.size() > kLongest)
    return format("expected a name of at most {} bytes, found {}: {}", kLongest, name.size(), in_quotes(name));
  return is_utf8(name) ? "" : "expected a name in UTF-8, found " + in_quotes(as_utf8(name));
}

std::string human_count(double value) {
  constexpr const char* kUnits[] = {"", " k", " M", " G", " T"};
  std::size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return printed("%.3g", value) + kUnits[unit];
}

std::string grouped(std::int64_t value) {
  std::string digits = number_text(value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

std::string human_time(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 9.95) return printed("%.2g", seconds) + " s";
  const double whole = std::round(seconds);
  if (whole < 60) return printed("%.0f", whole) + " s";
  if (whole < 3600) return two_units(std::floor(whole / 60), "min", std::fmod(whole, 60), "s");
  const double minutes = std::round(seconds / 60);
  if (minutes < 24 * 60) return two_units(std::floor(minutes / 60), "h", std::fmod(minutes, 60), "min");
  const double hours = std::round(seconds / 3600);
  return two_units(std::floor(hours / 24), "d", std::fmod(hours, 24), "h");
}

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value == 0.0 ? 0.0 : value);
  return text;
}

}  // namespace edmund
