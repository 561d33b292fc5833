#pragma once

#include "edmund/core/options.h"
#include "yaml.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// From values of a config to C++ values and back.
namespace edmund::yaml {

/// A value as read, or what is wrong with it.
template <typename T>
struct Outcome {
  std::optional<T> value = {};
  std::string mistake = {};
};

template <typename T>
using Reading = std::function<Outcome<T>(const Value&)>;

enum class Infinity { kRefused, kMeant };
Reading<double> number_in(Range range, Infinity infinity = Infinity::kRefused);
Reading<std::int64_t> integer_in(Range range);
Outcome<std::string> any_text(const Value& value);
Outcome<bool> true_or_false(const Value& value);

bool accepts(const Range& range, double value);
/// " at least 2", " above 0 and at most 1", " between 0 and 1"; nothing for all numbers.
std::string range_text(const Range& range);

std::string yaml_of(double value);
std::string yaml_of(std::int64_t value);
std::string yaml_of(bool value);
/// Quoted where it would be read as something other than this text; U+FFFD for bytes that no YAML
/// file can hold.
std::string yaml_of(const std::string& value);

template <typename T>
std::string yaml_of(const std::vector<T>& values) {
  std::string out;
  for (const auto& value : values) out += (out.empty() ? "" : ", ") + yaml_of(value);
  return "[" + out + "]";
}

/// A default outside of its own range stands for "not given": nothing, since it would be refused
/// when read again.
template <typename T>
std::string yaml_within(const T& fallback, const Range& range) {
  return accepts(range, static_cast<double>(fallback)) ? yaml_of(fallback) : "";
}

template <typename T>
std::string yaml_within(const std::vector<T>& fallback, const Range& range) {
  for (const T& value : fallback)
    if (!accepts(range, static_cast<double>(value))) return "";
  return yaml_of(fallback);
}

}  // namespace edmund::yaml
