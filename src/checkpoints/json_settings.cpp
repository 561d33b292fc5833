#include "json_settings.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace edmund {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMostBytes = 1 << 26;

std::string shown(const json& value) {
  return in_quotes(value.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace));
}

std::optional<std::int64_t> whole(const json& value, std::int64_t low, std::int64_t high) {
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(high)) return std::nullopt;
  std::int64_t number = 0;
  if (value.is_number_integer()) {
    number = value.get<std::int64_t>();
  } else if (value.is_number_float() && std::abs(value.get<double>()) < 1e15 &&
             std::trunc(value.get<double>()) == value.get<double>()) {
    number = static_cast<std::int64_t>(value.get<double>());  // some files write 1.0
  } else {
    return std::nullopt;
  }
  return number < low || number > high ? std::nullopt : std::optional(number);
}

// Python's json module writes infinities and NaN, which JSON does not know: null in their place.
std::string without_infinities(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  bool in_text = false;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::string_view rest = bytes.substr(i);
    if (!in_text) {
      std::size_t length = 0;
      for (const std::string_view word : {"-Infinity", "Infinity", "NaN"})
        if (rest.starts_with(word)) length = word.size();
      if (length > 0) {
        out += "null";
        i += length;
        continue;
      }
    }
    if (in_text && bytes[i] == '\\' && i + 1 < bytes.size())
      out += bytes[i++];
    else if (bytes[i] == '"')
      in_text = !in_text;
    out += bytes[i++];
  }
  return out;
}

}  // namespace

JsonSettings::JsonSettings(json object, std::string file) : object_(std::move(object)), file_(std::move(file)) {
  require(object_.is_object(), "{}: expected a JSON object with settings", file_);
}

JsonSettings JsonSettings::read(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, kMostBytes);
  json object = json::parse(without_infinities(bytes), nullptr, /*allow_exceptions=*/false);
  require(!object.is_discarded(), "{}: is no JSON", path.string());
  return {std::move(object), path.string()};
}

const json* JsonSettings::find(std::string_view key) {
  read_.emplace(key);
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonSettings::has(std::string_view key) const {
  const auto found = object_.find(key);
  return found != object_.end() && !found->is_null();
}

std::optional<std::int64_t> JsonSettings::optional_integer(std::string_view key, std::int64_t low, std::int64_t high) {
  const json* value = find(key);
  if (!value) return std::nullopt;
  const auto number = whole(*value, low, high);
  require(number.has_value(), "{}: {}: expected a whole number from {} to {}, found {}", file_, key, low, high,
          shown(*value));
  return number;
}

std::int64_t JsonSettings::integer(std::string_view key, std::int64_t fallback, std::int64_t low, std::int64_t high) {
  return optional_integer(key, low, high).value_or(fallback);
}

bool JsonSettings::is_null(std::string_view key) const {
  const auto found = object_.find(key);
  return found != object_.end() && found->is_null();
}

std::optional<std::int64_t> JsonSettings::integer_or_null(std::string_view key, std::optional<std::int64_t> fallback,
                                                          std::int64_t low, std::int64_t high) {
  return is_null(key) || has(key) ? optional_integer(key, low, high) : fallback;
}

double JsonSettings::real(std::string_view key, double fallback) {
  const json* value = find(key);
  if (!value) return fallback;
  require(value->is_number() && std::isfinite(value->get<double>()), "{}: {}: expected a number, found {}", file_, key,
          shown(*value));
  return value->get<double>();
}

bool JsonSettings::flag(std::string_view key, bool fallback) {
  const json* value = find(key);
  if (!value) return fallback;
  require(value->is_boolean(), "{}: {}: expected true or false, found {}", file_, key, shown(*value));
  return value->get<bool>();
}

std::string JsonSettings::text(std::string_view key, std::string_view fallback) {
  const json* value = find(key);
  if (!value) return std::string(fallback);
  require(value->is_string(), "{}: {}: expected a text, found {}", file_, key, shown(*value));
  return value->get<std::string>();
}

std::string JsonSettings::choice(std::string_view key, std::string_view fallback,
                                 std::initializer_list<std::string_view> known) {
  std::string word = text(key, fallback);
  if (std::ranges::find(known, word) == known.end())
    refuse(key, format("{} has no counterpart here; converted are {}", in_quotes(word),
                       join(std::span(known.begin(), known.size()), ", ")));
  return word;
}

std::vector<std::int64_t> JsonSettings::integers(std::string_view key, std::vector<std::int64_t> fallback,
                                                 std::int64_t low, std::int64_t high) {
  const json* value = find(key);
  if (!value) return fallback;
  std::vector<std::int64_t> out;
  require(value->is_array() && value->size() < 1000, "{}: {}: expected a list of whole numbers, found {}", file_, key,
          shown(*value));
  for (const json& item : *value) {
    const auto number = whole(item, low, high);
    require(number.has_value(), "{}: {}: expected whole numbers from {} to {}, found {}", file_, key, low, high,
            shown(item));
    out.push_back(*number);
  }
  return out;
}

std::vector<std::string> JsonSettings::texts(std::string_view key, std::vector<std::string> fallback) {
  const json* value = find(key);
  if (!value) return fallback;
  std::vector<std::string> out;
  require(value->is_array() && value->size() < 1000, "{}: {}: expected a list of texts, found {}", file_, key,
          shown(*value));
  for (const json& item : *value) {
    require(item.is_string(), "{}: {}: expected texts, found {}", file_, key, shown(item));
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::map<std::string, std::string> JsonSettings::texts_by_name(std::string_view key) {
  const json* value = find(key);
  std::map<std::string, std::string> out;
  require(value && value->is_object(), "{}: {}: expected a mapping of names to texts", file_, key);
  for (const auto& [name, item] : value->items()) {
    require(item.is_string(), "{}: {}: {}: expected a text, found {}", file_, key, in_quotes(name), shown(item));
    out[name] = item.get<std::string>();
  }
  return out;
}

void JsonSettings::skip(std::initializer_list<std::string_view> keys) {
  for (const auto key : keys) read_.emplace(key);
}

void JsonSettings::only(std::string_view key, const json& value) {
  const json* found = find(key);
  if (found && *found != value) refuse(key, format("{} has no counterpart here, {} has", shown(*found), shown(value)));
}

void JsonSettings::refuse(std::string_view key, std::string_view reason) const {
  fail("{}: {}: {}", file_, key, reason);
}

void JsonSettings::finish() const {
  for (const auto& [key, value] : object_.items())
    if (!value.is_null() && !read_.contains(key)) refuse(in_quotes(key), "a setting that is not known here");
}

}  // namespace edmund
