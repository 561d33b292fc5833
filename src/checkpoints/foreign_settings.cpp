#include "edmund/checkpoints/foreign_settings.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <charconv>

namespace edmund {

std::optional<std::string> ForeignSettings::text(std::string_view key) const {
  asked_.emplace_back(key);
  const auto found = given_.find(key);
  return found == given_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> ForeignSettings::choice(std::string_view key,
                                                   std::span<const std::string_view> names) const {
  const auto value = text(key);
  require(!value || std::ranges::find(names, *value) != names.end(), "{}: expected {}, found {}", key,
          join({names.begin(), names.end()}, " or "), in_quotes(value.value_or("")));
  return value;
}

std::optional<std::int64_t> ForeignSettings::integer(std::string_view key, std::int64_t low, std::int64_t high) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  std::int64_t out = 0;
  const char* last = value->data() + value->size();
  const auto [end, code] = std::from_chars(value->data(), last, out);
  require(code == std::errc() && end == last && out >= low && out <= high,
          "{}: expected a whole number from {} to {}, found {}", key, low, high, in_quotes(*value));
  return out;
}

std::optional<bool> ForeignSettings::flag(std::string_view key) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  const bool yes = *value == "true" || *value == "True", no = *value == "false" || *value == "False";
  require(yes || no, "{}: expected true or false, found {}", key, in_quotes(*value));
  return yes;
}

}  // namespace edmund
