#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// What a user states of a model whose file does not tell it (`edmund convert --set KEY=VALUE`). It
/// remembers what was asked for. All throw Error naming key and value.
class ForeignSettings {
 public:
  ForeignSettings() = default;
  /// Of "KEY=VALUE" each; a key twice is an error.
  explicit ForeignSettings(std::span<const std::string> given);

  /// The value of `key`; nothing if it was not given.
  std::optional<std::string> text(std::string_view key) const;
  std::optional<std::string> choice(std::string_view key, std::span<const std::string_view> names) const;
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t low, std::int64_t high) const;
  std::optional<bool> flag(std::string_view key) const;

  /// Throws Error if a key was given that no one asked for, with the nearest that was.
  void finish(std::string_view kind) const;

 private:
  std::map<std::string, std::string, std::less<>> given_;
  mutable std::vector<std::string> asked_;
};

}  // namespace edmund
