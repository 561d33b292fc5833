#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// What a user states of a model whose file does not tell it, by the name of its authors' flag
/// (`edmund convert IN OUT num_heads=4`). It remembers what was asked for. All throw Error naming
/// key and value.
class ForeignSettings {
 public:
  ForeignSettings() = default;
  explicit ForeignSettings(const std::map<std::string, std::string>& given) : given_(given.begin(), given.end()) {}

  /// The value of `key`; nothing if it was not given.
  std::optional<std::string> text(std::string_view key) const;
  std::optional<std::string> choice(std::string_view key, std::span<const std::string_view> names) const;
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t low, std::int64_t high) const;
  std::optional<bool> flag(std::string_view key) const;

  /// Whether a kind has such a flag.
  bool asked(std::string_view key) const { return std::ranges::find(asked_, key) != asked_.end(); }

 private:
  std::map<std::string, std::string, std::less<>> given_;
  mutable std::vector<std::string> asked_;
};

}  // namespace edmund
