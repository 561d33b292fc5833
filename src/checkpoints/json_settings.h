#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// The settings in another project's JSON file, which remember what was read: what nobody reads is
/// refused by name. Null counts as missing. All throw Error, which names the file and the key.
class JsonSettings {
 public:
  /// `file` stands for the origin in messages.
  JsonSettings(nlohmann::json object, std::string file);
  static JsonSettings read(const std::filesystem::path& path);

  const std::string& file() const { return file_; }
  bool has(std::string_view key) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t low,
                       std::int64_t high = std::numeric_limits<std::int32_t>::max());
  std::optional<std::int64_t> optional_integer(std::string_view key, std::int64_t low,
                                               std::int64_t high = std::numeric_limits<std::int32_t>::max());
  /// Nothing where null stands there, which is not the same as a missing key.
  std::optional<std::int64_t> integer_or_null(std::string_view key, std::optional<std::int64_t> fallback,
                                              std::int64_t low, std::int64_t high);
  bool is_null(std::string_view key) const;
  double real(std::string_view key, double fallback);
  bool flag(std::string_view key, bool fallback);
  std::string text(std::string_view key, std::string_view fallback);
  /// One of `known`; what is not is said to have no counterpart.
  std::string choice(std::string_view key, std::string_view fallback, std::initializer_list<std::string_view> known);
  std::vector<std::int64_t> integers(std::string_view key, std::vector<std::int64_t> fallback, std::int64_t low,
                                     std::int64_t high);
  std::vector<std::string> texts(std::string_view key, std::vector<std::string> fallback);
  /// A mapping of names to texts.
  std::map<std::string, std::string> texts_by_name(std::string_view key);
  /// The key may be there and says nothing of the model.
  void skip(std::initializer_list<std::string_view> keys);
  /// The key's value must be this one: others have no counterpart here.
  void only(std::string_view key, const nlohmann::json& value);
  [[noreturn]] void refuse(std::string_view key, std::string_view reason = "has no counterpart here") const;
  /// Refuses what was not read.
  void finish() const;

 private:
  const nlohmann::json* find(std::string_view key);

  nlohmann::json object_;
  std::string file_;
  std::set<std::string, std::less<>> read_;
};

}  // namespace edmund
