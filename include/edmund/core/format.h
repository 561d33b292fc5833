#pragma once

#include <charconv>
#include <concepts>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

namespace edmund {

/// Shortest text that reads back as the same number: 0.1, 80, 1e-05, inf, nan.
template <typename T>
requires(std::is_arithmetic_v<T>) std::string number_text(T value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

namespace detail {

template <typename T>
void append(std::string& out, const T& value) {
  if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::same_as<T, char>) {
    out += value;
  } else if constexpr (std::is_arithmetic_v<T>) {
    out += number_text(value);
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    out += std::string_view(value);
    // paths, which a stream would put in quotes
  } else if constexpr (std::convertible_to<const T&, std::string>) {
    out += static_cast<std::string>(value);
  } else {
    std::ostringstream stream;
    stream << value;
    out += stream.str();
  }
}

}  // namespace detail

/// Pattern with each `{}` replaced by the next argument; real numbers in their shortest exact form.
/// (LibTorch and spdlog carry different versions of fmt, and this compiler has no std::format.)
template <typename... Args>
std::string format(std::string_view pattern, const Args&... args) {
  std::string out;
  std::size_t at = 0;
  [[maybe_unused]] const auto next = [&](const auto& value) {
    const std::size_t hole = pattern.find("{}", at);
    out += pattern.substr(at, hole == std::string_view::npos ? hole : hole - at);
    if (hole == std::string_view::npos) {
      at = pattern.size();
      return;
    }
    detail::append(out, value);
    at = hole + 2;
  };
  (next(args), ...);
  return out += pattern.substr(at);
}

}  // namespace edmund
