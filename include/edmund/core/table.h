#pragma once

#include "edmund/core/options.h"

#include <span>
#include <string_view>
#include <vector>

namespace edmund {

/// One plugin of a family: the name that `type` gives in a config, one line for `edmund list`, its
/// source, its factory.
template <typename Factory>
struct Entry {
  std::string_view name;
  std::string_view about;
  std::string_view source;  // author, year, equation; "-" where there is none
  Factory* make;
};

/// What `edmund list` shows of an entry.
struct Description {
  std::string_view name, about, source;
};

// The functions below take tables of Entry or of a struct with the same four members and more.

template <typename Row>
std::vector<std::string_view> names(std::span<const Row> table) {
  std::vector<std::string_view> out;
  for (const auto& entry : table) out.push_back(entry.name);
  return out;
}

template <typename Row>
std::vector<Description> describe(std::span<const Row> table) {
  std::vector<Description> out;
  for (const auto& entry : table) out.push_back({entry.name, entry.about, entry.source});
  return out;
}

/// Entry that `type` names in `options`; records an error there (and answers the default) for an
/// unknown name. `about`: one line on what is chosen.
template <typename Row>
const Row& chosen(std::span<const Row> table, Options& options, std::string_view fallback,
                  std::string_view about = {}) {
  const auto list = names(table);
  const auto name = options.choice("type", fallback, list, about);
  for (const auto& entry : table)
    if (entry.name == name) return entry;
  return table.front();
}

}  // namespace edmund
