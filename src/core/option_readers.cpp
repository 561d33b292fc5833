// The readers of Options: one value, a list, a choice, each with what it accepts.
#include "edmund/core/options.h"
#include "edmund/core/text.h"
#include "option_reader.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace edmund {
using yaml::any_text, yaml::found, yaml::integer_in, yaml::number_in, yaml::range_text, yaml::true_or_false,
    yaml::yaml_of, yaml::yaml_within;
using yaml::Infinity, yaml::Kind, yaml::Outcome, yaml::Reading, yaml::Value;
namespace {

std::string_view trimmed(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

// A number may be infinite where its default is.
Infinity infinity_of(std::span<const double> fallback) {
  const bool meant = std::any_of(fallback.begin(), fallback.end(), [](double value) { return std::isinf(value); });
  return meant ? Infinity::kMeant : Infinity::kRefused;
}

}  // namespace

double Options::real(std::string_view key, double fallback, Range range, std::string_view about) {
  const std::string yaml = yaml_within(fallback, range);
  return Reader{*document_, *node_, key}
      .described("number", trimmed(range_text(range)), yaml, about)
      .one(number_in(range, infinity_of(std::span(&fallback, 1))), fallback, yaml);
}

std::int64_t Options::integer(std::string_view key, std::int64_t fallback, Range range, std::string_view about) {
  const std::string yaml = yaml_within(fallback, range);
  return Reader{*document_, *node_, key}
      .described("integer", trimmed(range_text(range)), yaml, about)
      .one(integer_in(range), fallback, yaml);
}

bool Options::flag(std::string_view key, bool fallback, std::string_view about) {
  const std::string yaml = yaml_of(fallback);
  return Reader{*document_, *node_, key}
      .described("true or false", "", yaml, about)
      .one<bool>(true_or_false, fallback, yaml);
}

std::string Options::text(std::string_view key, std::string_view fallback, std::string_view about) {
  const std::string yaml = yaml_of(std::string(fallback));
  return Reader{*document_, *node_, key}
      .described("text", "", yaml, about)
      .one<std::string>(any_text, std::string(fallback), yaml);
}

std::string Options::choice(std::string_view key, std::string_view fallback, std::span<const std::string_view> names,
                            std::string_view about) {
  const auto is_known = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const auto reading = [&](const Value& value) -> Outcome<std::string> {
    auto read = any_text(value);
    if (!read.value) return {.mistake = format("expected a name, found {}{}", found(value), suggestion("", names))};
    if (is_known(*read.value)) return read;
    return {.mistake = format("unknown name {}{}", in_quotes(*read.value), suggestion(*read.value, names))};
  };
  const std::string yaml = is_known(fallback) ? yaml_of(std::string(fallback)) : "";
  return Reader{*document_, *node_, key}
      .described("choice", join(names, " | "), yaml, about)
      .one<std::string>(reading, std::string(fallback), yaml);
}

std::string Options::choice(std::string_view key, std::string_view fallback,
                            std::initializer_list<std::string_view> names, std::string_view about) {
  return choice(key, fallback, std::span(names.begin(), names.size()), about);
}

std::vector<double> Options::reals(std::string_view key, std::vector<double> fallback, Range range,
                                   std::string_view about) {
  const std::string yaml = yaml_within(fallback, range);
  const Infinity infinity = infinity_of(fallback);
  return Reader{*document_, *node_, key}
      .described("list of numbers", trimmed(range_text(range)), yaml, about)
      .list(number_in(range, infinity), "numbers", std::move(fallback), yaml);
}

std::optional<Interval> Options::interval(std::string_view key, std::string_view about) {
  const Reader reader{*document_, *node_, key};
  reader.described("[low, high]", "", "[]", about);
  const std::vector<double> ends = reader.list(number_in({}, Infinity::kMeant), "numbers", {}, "[]");
  const bool is_interval = ends.size() == 2 && ends[0] < ends[1];
  check(ends.empty() || is_interval, key, "expected [low, high] with low < high");
  return is_interval ? std::optional<Interval>({ends[0], ends[1]}) : std::nullopt;
}

std::vector<std::int64_t> Options::integers(std::string_view key, std::vector<std::int64_t> fallback, Range range,
                                            std::string_view about) {
  const std::string yaml = yaml_within(fallback, range);
  return Reader{*document_, *node_, key}
      .described("list of integers", trimmed(range_text(range)), yaml, about)
      .list(integer_in(range), "integers", std::move(fallback), yaml);
}

std::vector<std::string> Options::texts(std::string_view key, std::vector<std::string> fallback,
                                        std::string_view about) {
  const std::string yaml = yaml_of(fallback);
  return Reader{*document_, *node_, key}
      .described("list of texts", "", yaml, about)
      .list<std::string>(any_text, "texts", std::move(fallback), yaml);
}

std::filesystem::path Options::path(std::string_view key, std::string_view about) { return path(key, "", about); }

std::filesystem::path Options::path(std::string_view key, std::string_view fallback, std::string_view about) {
  const Reader reader{*document_, *node_, key};
  const std::string yaml = fallback.empty() ? "" : yaml_of(std::string(fallback));
  reader.described("path", "", yaml, about);
  return reader.place(reader.one<std::string>(any_text, std::string(fallback), yaml));
}

std::filesystem::path Options::required_path(std::string_view key, std::string_view about) {
  const Reader reader{*document_, *node_, key};
  reader.described("path", "", "", about, true);
  return reader.place(reader.needed<std::string>(any_text, "a path"));
}

void Options::settle(std::string_view keys) {
  Value* value = node_->value ? yaml::find_below(*node_->value, keys) : nullptr;
  if (!value) return;
  const std::string path = node_->path_of(keys), mistake = document_->settle(*value, path);
  if (!mistake.empty()) document_->add(value->place, path, mistake);
}

double Options::required_real(std::string_view key, Range range, std::string_view about) {
  return Reader{*document_, *node_, key}
      .described("number", trimmed(range_text(range)), "", about, true)
      .needed(number_in(range), "a number" + range_text(range));
}

std::int64_t Options::required_integer(std::string_view key, Range range, std::string_view about) {
  return Reader{*document_, *node_, key}
      .described("integer", trimmed(range_text(range)), "", about, true)
      .needed(integer_in(range), "an integer" + range_text(range));
}

void Options::mark_needed(std::string_view key) { node_->record(key).is_needed = true; }

std::string Options::required_text(std::string_view key, std::string_view about) {
  return Reader{*document_, *node_, key}.described("text", "", "", about, true).needed<std::string>(any_text, "text");
}

}  // namespace edmund
