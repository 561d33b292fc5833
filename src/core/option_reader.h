#pragma once

#include "document.h"
#include "edmund/core/options.h"
#include "reading.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

/// What all readers share: one mistake a key, one record a key.
struct Options::Reader {
  Document& document;
  Node& node;
  std::string_view key;

  template <typename T>
  T one(const yaml::Reading<T>& reading, T fallback, const std::string& fallback_yaml) const {
    const yaml::Value* value = node.find(key);
    if (!value) return keep(std::move(fallback), fallback_yaml);
    const auto outcome = reading(*value);
    if (outcome.value) return keep(*outcome.value, yaml::yaml_of(*outcome.value));
    add(value->place, node.path_of(key), outcome.mistake);
    return fallback;
  }

  template <typename T>
  std::vector<T> list(const yaml::Reading<T>& reading, std::string_view what, std::vector<T> fallback,
                      const std::string& fallback_yaml) const {
    const yaml::Value* value = node.find(key);
    if (!value) return keep(std::move(fallback), fallback_yaml);
    if (value->kind != yaml::Kind::kList) {
      add(value->place, node.path_of(key), format("expected a list of {} in [ ], found {}", what, yaml::found(*value)));
      return fallback;
    }
    std::vector<T> values;
    bool is_good = true;
    for (std::size_t i = 0; i < value->items.size(); ++i) {
      const auto outcome = reading(value->items[i]);
      if (outcome.value) {
        values.push_back(*outcome.value);
      } else if (std::exchange(is_good, false)) {
        add(value->items[i].place, format("{}[{}]", node.path_of(key), i), outcome.mistake);
      }
    }
    if (!is_good) return fallback;
    const std::string yaml = yaml::yaml_of(values);
    return keep(std::move(values), yaml);
  }

  template <typename T>
  T needed(const yaml::Reading<T>& reading, std::string_view what) const {
    if (node.find(key)) return one<T>(reading, T{}, "");
    const yaml::Value* null = node.value ? node.value->find(key) : nullptr;
    add(null ? null->place : node.place, node.path_of(key), format("missing; expected {}", what));
    return T{};
  }

  /// Records what the reader says of the key, the first time.
  const Reader& described(std::string_view kind, std::string_view accepts, std::string_view fallback,
                          std::string_view about, bool is_needed = false) const {
    Node::Record& record = node.record(key);
    if (!record.kind.empty()) return *this;
    record.kind = kind;
    record.accepts = accepts;
    record.fallback = fallback;
    record.about = about;
    record.is_needed = is_needed;
    return *this;
  }

  /// Records the value in use, the first time.
  template <typename T>
  T keep(T value, const std::string& yaml) const {
    Node::Record& record = node.record(key);
    if (record.yaml.empty() && record.nodes.empty()) record.yaml = yaml;
    return value;
  }

  /// Where the path that was read lies; see Options::path().
  std::filesystem::path place(const std::string& read) const {
    yaml::Value* value = node.find(key);
    if (!value || read.empty() || value->kind != yaml::Kind::kScalar) return read;
    if (const std::string mistake = document.settle(*value, node.path_of(key)); !mistake.empty()) {
      add(value->place, node.path_of(key), mistake);
      return {};
    }
    std::filesystem::path there = document.absolute(*value);
    node.record(key).yaml = yaml::yaml_of(value->text);
    return there;
  }

  void add(const yaml::Place& place, std::string_view path, std::string_view message) const {
    Node::Record& record = node.record(key);
    if (!std::exchange(record.failed, true)) document.add(place, path, message);
  }
};

}  // namespace edmund
